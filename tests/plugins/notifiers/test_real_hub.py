"""The real hub as its own process: a test message by the command, the live socket, and kill -9 in mid-delivery."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.fakes.house import until
from tests.fakes.http_sink import HttpSink
from tests.fakes.running import RunningHub
from tests.fakes.smtp_sink import SmtpSink

YAML = """
people:
  owner: {{name: Sam, notify: ["{mail}", "{hook}"]}}
  kim: {{roles: [manager], notify: {{system: kim@house.test}}}}
notifications: {{email: "{account}"}}
web: {{external_url: "https://hub.example.org"}}
"""


@pytest.fixture
async def hub(tmp_path: Path, mail: SmtpSink, hook: HttpSink):
    hub = RunningHub(tmp_path / "hub", YAML.format(mail=mail.url(), hook=hook.url, account=mail.account))
    await hub.start()
    try:
        yield hub
    finally:
        hub.kill()


async def command(hub: RunningHub, *words: str) -> tuple[int, str]:
    run = await asyncio.create_subprocess_exec(sys.executable, "-m", "ohmstead", "-c", str(hub.folder), *words, stdout=subprocess.PIPE,
                                               stderr=subprocess.STDOUT)
    out, _ = await run.communicate()
    return run.returncode or 0, out.decode()


async def test_a_test_message_by_the_command(hub: RunningHub, mail: SmtpSink, hook: HttpSink) -> None:
    code, out = await command(hub, "notify", "test", "--to", "manager", "--json")
    assert code == 0, out
    assert [(row["channel"], row["status"]) for row in json.loads(out)] == [("app", "sent"), ("email", "sent")]
    [letter] = mail.mails
    assert (letter["To"], letter["Subject"]) == ("kim@house.test", "Test of notifications")
    assert letter["List-Unsubscribe"].startswith("<https://hub.example.org/api/v1/notifications/unsubscribe/")
    mail.refusals["sam@house.test"] = "550 5.1.1 who is sam?"
    code, out = await command(hub, "notify", "test")
    assert (code, "bounced" in out, "550 5.1.1 who is sam?" in out) == (1, True, True)
    assert len(hook.taken) == 1
    code, out = await command(hub, "notify", "deliveries", "--status", "bounced")
    assert (code, "mailto://•••" in out, "sam@house.test" in out) == (0, True, False)
    code, out = await command(hub, "notify", "test", "--to", "nobody")
    assert (code, "there is no person, role or address 'nobody'" in out) == (2, True)
    assert "s3cret" not in hub.log.read_text()
    await unsubscribes(hub, letter["List-Unsubscribe"].strip("<>"))
    await told_on_the_live_socket_and_counted(hub)


async def unsubscribes(hub: RunningHub, link: str) -> None:
    """As a browser does it that nobody signed in with, and from another site in vain."""
    path = urlsplit(link).path
    async with aiohttp.ClientSession(hub.url) as stranger:
        async with stranger.get(path) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
        async with stranger.post(path, headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 403
        async with stranger.post(path, data={"List-Unsubscribe": "One-Click"}) as answer:
            assert answer.status == 200
        async with stranger.post(path + "x") as answer:
            assert answer.status == 404
    [kim] = [who for who in await hub.get("/notifications/preferences") if who["person"] == "kim"]
    assert [address["unsubscribed"] for address in kim["notify"]] == [["system"]]


async def told_on_the_live_socket_and_counted(hub: RunningHub) -> None:
    async with hub.client() as session, session.ws_connect("/api/v1/live") as socket:
        await socket.receive_json()
        await socket.send_json({"type": "SUBSCRIBE"})
        await socket.send_json({"type": "PING"})
        assert (await socket.receive_json())["type"] == "PONG"
        async with session.post("/api/v1/notifications/read-all") as answer:
            assert (await answer.json())["data"] == {"read": 2}
        async with session.post("/api/v1/notifications/test", json={}) as answer:
            assert answer.status == 200
        async with asyncio.timeout(5):
            while (news := await socket.receive_json())["type"] != "NOTIFICATION":
                pass
        assert (news["payload"]["title"], news["payload"]["person"]) == ("Test of notifications", "owner")
        [message] = await hub.get("/notifications", unread="true")
        assert message["id"] == news["payload"]["id"]
        async with session.post(f"/api/v1/notifications/{message['id']}/read") as answer:
            assert (await answer.json())["data"]["read"]
        assert await hub.get("/notifications", unread="true") == []
        async with session.get("/metrics") as answer:
            assert 'notifications_total{channel="app",status="sent"} 3.0' in await answer.text()


async def test_kill_9_between_the_yes_and_our_note_repeats_one_message(hub: RunningHub, mail: SmtpSink) -> None:
    mail.held = asyncio.Event()  # the server has the message, and its yes is on the way
    test = asyncio.create_task(hub.client().__aenter__())
    session = await test
    asking = asyncio.create_task(session.post("/api/v1/notifications/test", json={}))
    await until(lambda: mail.mails, 15)
    hub.kill()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await session.close()
    mail.held.set()
    await hub.start()
    await until(lambda: len(mail.mails) >= 2, 15)
    first, second = mail.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert (first["X-Ohmstead-Repeated"], second["X-Ohmstead-Repeated"]) == (None, "true")
    async with asyncio.timeout(10):
        while (rows := await hub.get("/notifications/deliveries")) and any(row["status"] != "sent" for row in rows):
            await asyncio.sleep(0.05)
    assert {(row["channel"], row["repeated"]) for row in rows} == {("app", False), ("email", True), ("webhook", False)}
    assert len(mail.mails) == 2
