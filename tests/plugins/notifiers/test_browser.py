"""Web push to a real browser, from its subscription to the event in its service worker: where Chromium can reach its push service.

Elsewhere it never gets a subscription, and `test_channels` proves the message: it is decrypted there by code that
shares none with the library that encrypted it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.services import require
from tests.fakes.telling_house import TellingHouse

SERVICE = "fcm.googleapis.com"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
WORKER = """
self.addEventListener('push', event => event.waitUntil((async () => {
  const said = event.data.json()
  await self.registration.showNotification(said.title)
  for (const page of await self.clients.matchAll()) page.postMessage(said)
})()))
"""
SUBSCRIBE = """async key => {
  const registration = await navigator.serviceWorker.register('/worker.js')
  await navigator.serviceWorker.ready
  window.heard = new Promise(yes => navigator.serviceWorker.addEventListener('message', event => yes(event.data)))
  navigator.serviceWorker.startMessages()
  return JSON.stringify(await registration.pushManager.subscribe({userVisibleOnly: true, applicationServerKey: key}))
}"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Any]:
    """A page of a secure origin with a service worker, in a browser that allows notifications."""
    try:
        await asyncio.get_running_loop().getaddrinfo(SERVICE, 443)
    except socket.gaierror as error:
        pytest.skip(f"Chromium's push service {SERVICE} cannot be reached ({error.strerror}): test_channels decrypts the message instead")
    playwright = pytest.importorskip("playwright.async_api")

    async def serve(request: web.BaseRequest) -> web.Response:
        worker = request.path == "/worker.js"
        return web.Response(text=WORKER if worker else "<title>page</title>", content_type="text/javascript" if worker else "text/html")

    runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with playwright.async_playwright() as driver:
        context = await driver.chromium.launch_persistent_context(tmp_path / "profile", executable_path=require("chromium"),
                                                                  headless=False, args=ARGUMENTS)
        await context.grant_permissions(["notifications"], origin=origin)
        page = await context.new_page()
        await page.goto(origin)
        yield page
        await context.close()
    await runner.cleanup()


async def test_a_real_browser_shows_what_it_is_sent(sqlite_url: str, tmp_path: Path, page: Any) -> None:
    async with TellingHouse(sqlite_url, tmp_path, section={"push_contact": "mailto:sam@example.org"}) as house:
        key = (await house.call("GET", "/notifications/push/key"))["key"]
        subscription = json.loads(await page.evaluate(SUBSCRIBE, key))
        await house.call("POST", "/notifications/push", body={"person": "owner", **subscription})
        await house.tell("Grid lost", body="since 12:00", severity="critical")
        await house.deliver()
        [row] = await house.log()
        assert row["status"] == "sent", row
        said = await asyncio.wait_for(page.evaluate("heard"), 30)
        assert (said["title"], said["body"], said["id"]) == ("Grid lost", "since 12:00", row["id"])
