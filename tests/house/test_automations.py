"""Automations on a hub as it runs: the demo house obeys, and kill -9 in a delay costs nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.fakes.running import RunningHub, free_port

DEMO = """
mqtt: {{broker: embedded, port: {port}}}
integrations:
  house: {{type: demo_house, days: 0, every: 1s}}
"""


async def say(hub: RunningHub, device: str, **values: Any) -> None:
    body = {"device_id": device, "timestamp": datetime.now(UTC).isoformat(), **values}
    async with hub.client() as session, session.post("/api/v1/telemetry", json=body) as answer:
        assert answer.status < 300, await answer.text()


async def post(hub: RunningHub, path: str, body: Any = None) -> Any:
    async with hub.client() as session, session.post(f"/api/v1{path}", json=body) as answer:
        assert answer.status < 300, await answer.text()
        return (await answer.json())["data"]


async def trace(hub: RunningHub, id_: str, of: Callable[[dict[str, Any]], bool], within_s: float = 45.0) -> dict[str, Any]:
    """The newest run of an automation, once it is as it should be."""
    until = time.monotonic() + within_s
    while True:
        found = await hub.get(f"/automations/{id_}/traces")
        if found and of(found[0]):
            return found[0]  # type: ignore[no-any-return]
        assert time.monotonic() < until, found
        await asyncio.sleep(0.05)


def waits_at(place: str) -> Callable[[dict[str, Any]], bool]:
    return lambda run: run["waits_at"] == place and run["result"] == "running"


def done(run: dict[str, Any]) -> bool:
    return run["ended"] is not None


async def test_the_shipped_blueprints_on_the_demo_house(hub: Callable[..., RunningHub]) -> None:
    house = hub(
        DEMO.format(port=free_port())
        + """
automations:
  car: {blueprint: car_on_surplus, inputs: {charger: D1, meter: roof, start_after: 0s, stop_after: 0s}}
  shed: {blueprint: shed_load_before_peak, inputs: {load: plug_desk, meter: roof, peak: 9000, back: 4000, after: 0s, rest: 1s}}
  washer: {blueprint: washing_machine_finished, inputs: {plug: wash, for: 0s}}
  standby: {blueprint: standby_watch, inputs: {plug: plug_tv, from: 0, to: 5000, for: 2s}}
  pump: {blueprint: heat_pump_cheapest_hours, inputs: {heat_pump: ev}}
"""
    )
    await house.start()
    switched = await trace(house, "standby", done)
    assert [step["result"] for step in switched["steps"]] == ["acknowledged", "sent"]
    await say(house, "roof", power=-2500)
    await trace(house, "car", waits_at("action 2"))
    await say(house, "roof", power=9500)
    ended = await trace(house, "car", done)
    assert [step["result"] for step in ended["steps"]] == ["acknowledged", "happened", "acknowledged"]
    assert ended["steps"][2]["saw"] == {"D1.switch": "off"}
    shed = await trace(house, "shed", lambda run: bool(run["steps"]))
    assert (shed["steps"][0]["saw"], shed["steps"][0]["result"]) == ({"plug_desk.switch": "off"}, "acknowledged")
    assert [each["id"] for each in await house.get("/automations")] == ["car", "pump", "shed", "standby", "washer"]
    assert house.stop() == 0
    assert "Traceback" not in house.log.read_text()


async def test_kill_9_in_a_delay_and_in_a_wait(hub: Callable[..., RunningHub]) -> None:
    house = hub(
        """
automations:
  waits:
    trigger: [{state: m.power, above: 10}]
    action:
      - set: {state: out.mode, value: began}
      - delay: 3s
      - wait_for: {state: m.power, below: 5}
      - set: {state: out.mode, value: ended}
"""
    )
    await house.start()
    await say(house, "m", power=20)
    before = await trace(house, "waits", waits_at("action 2"))
    await asyncio.sleep(0.5)  # the journal rests a tenth of a second
    house.kill()
    await house.start()
    assert (await trace(house, "waits", waits_at("action 3")))["run"] == before["run"]
    await asyncio.sleep(0.5)
    house.kill()
    await house.start()
    await trace(house, "waits", waits_at("action 3"))
    await say(house, "m", power=1)
    ended = await trace(house, "waits", done)
    assert (ended["run"], ended["result"]) == (before["run"], "done")
    assert [step["result"] for step in ended["steps"]] == ["done", "done", "happened", "done"]
    assert [each["count"] for each in await house.get("/automations")] == [1]
    assert house.stop() == 0


async def test_made_over_the_api_and_called_by_a_webhook(hub: Callable[..., RunningHub]) -> None:
    house = hub()
    await house.start()
    secret = "kV3pZ9xQ2mW7tR5yB8nC4d"
    await post(house, "/automations", {"id": "door", "trigger": {"webhook": secret}, "action": {"set": {"state": "door.mode", "value": "{{ trigger.body }}"}}})
    house.kill()
    await house.start()
    async with house.client() as session:
        session.headers.pop("Authorization")
        async with session.post(f"/api/v1/webhooks/{secret}", data=b"open") as answer:
            assert answer.status == 202
        async with session.post("/api/v1/webhooks/kV3pZ9xQ2mW7tR5yB8nC4e", data=b"open") as answer:
            assert answer.status == 404
    ended = await trace(house, "door", done)
    assert ended["steps"][0]["saw"] == {"door.mode": "open"}
    assert house.stop() == 0


async def test_loops_through_the_broker_and_through_a_webhook_are_cut(hub: Callable[..., RunningHub]) -> None:
    secret, port = "kV3pZ9xQ2mW7tR5yB8nC4d", free_port()
    house = hub(f"""
mqtt: {{broker: embedded, port: {port}}}
automations:
  echo: {{trigger: [{{mqtt: loop/+}}], action: [{{mqtt: {{topic: loop/x, payload: again}}}}], mode: queued}}
""")
    await house.start()
    calls = {"http": {"url": f"{house.url}/api/v1/webhooks/{secret}", "json": {}}}
    await post(house, "/automations", {"id": "door", "trigger": {"webhook": secret}, "action": calls, "mode": "parallel"})
    await post(house, "/automations", {"id": "begin", "action": {"mqtt": {"topic": "loop/x"}}})
    await post(house, "/automations/begin/run")
    await post(house, f"/webhooks/{secret}")
    until = time.monotonic() + 15
    while house.log.read_text().count("automations set each other off without end") < 2:
        assert time.monotonic() < until, await house.get("/automations")
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    counts = {each["id"]: each["count"] for each in await house.get("/automations")}
    assert counts == {"begin": 1, "door": 10, "echo": 9}
    assert house.stop() == 0


SIREN = """
import threading
import voluptuous as vol
from ohmstead.core.plugin import RuleKind, hookimpl

def compile_siren(options, build):
    async def act(facts):
        if options["siren"] == "broken":
            raise KeyError("fuse")
        return f"{threading.current_thread().name} wails {options['siren']} times for {facts['by']}"
    return act

@hookimpl
def ohmstead_rules():
    return RuleKind("action", "siren", {vol.Required("siren", description="how often"): str}, compile_siren, "sound the siren")
"""
SPY = SIREN.replace('"action", "siren"', '"condition", "spy"')


async def test_ohmstead_rules(hub: Callable[..., RunningHub]) -> None:
    house = hub("""
automations:
  alarm: {action: [{siren: "3"}]}
  broken: {action: [{siren: broken}]}
""")
    (house.folder / "plugins").mkdir()
    (house.folder / "plugins" / "siren.py").write_text(SIREN)
    (house.folder / "plugins" / "spy.py").write_text(SPY)
    await house.start()
    ran = await post(house, "/automations/alarm/run")
    assert (ran["result"], ran["steps"][0]["result"]) == ("done", "plugins wails 3 times for owner")
    assert (await post(house, "/automations/broken/run"))["result"] == "failed"
    [spy] = [plugin for plugin in await house.get("/plugins") if plugin["name"] == "spy"]
    assert "plugins may add actions" in spy["quarantined"]
    assert house.stop() == 0
