"""Home Assistant 2024.3.3, measured in its own environment:
`bench/.peers/bin/python bench/home_assistant.py bus|states|rules|start FOLDER`.

Prints one line of JSON. Its listeners run as it runs them: a callback by the loop, or in place where it offers that;
the better of the two counts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROUNDS = 3
ATTRIBUTES = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement", "friendly_name": "Power"}


def listener():
    from homeassistant.core import callback

    @callback
    def heard(event):
        pass

    return heard


async def bus(number: int, in_place: bool, count: int = 50_000) -> float:
    from homeassistant.core import HomeAssistant

    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        for _ in range(number):
            hass.bus.async_listen("ticked", listener(), run_immediately=in_place)
        start = time.perf_counter()
        for _ in range(count // 1000):
            for value in range(1000):
                hass.bus.async_fire("ticked", {"value": value})
            await asyncio.sleep(0)
        await hass.async_block_till_done()
        rate = count / (time.perf_counter() - start)
        await hass.async_stop(force=True)
        return rate


async def states(entities: int = 1000, rounds: int = 50) -> float:
    from homeassistant.const import EVENT_STATE_CHANGED
    from homeassistant.core import HomeAssistant

    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        hass.bus.async_listen(EVENT_STATE_CHANGED, listener(), run_immediately=True)
        names = [f"sensor.power_{number}" for number in range(entities)]
        for name in names:
            hass.states.async_set(name, "0", ATTRIBUTES)
        await hass.async_block_till_done()
        start = time.perf_counter()
        for value in range(1, rounds + 1):
            text = str(value)
            for name in names:
                hass.states.async_set(name, text, ATTRIBUTES)
            await asyncio.sleep(0)
        await hass.async_block_till_done()
        rate = rounds * entities / (time.perf_counter() - start)
        await hass.async_stop(force=True)
        return rate


async def thresholds(entities: int = 1000, rounds: int = 30) -> float:
    """Each set of a state is compared with one threshold, by a numeric_state trigger; one in a hundred fires."""
    from homeassistant.components.homeassistant.triggers import numeric_state
    from homeassistant.core import HomeAssistant, callback

    @callback
    def fired(*_):
        pass

    info = {"trigger_data": {"id": "0", "idx": "0", "alias": None}, "variables": {}, "name": "bench"}
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        names = [f"sensor.power_{number}" for number in range(entities)]
        for name in names:
            hass.states.async_set(name, "0", ATTRIBUTES)
            config = {"platform": "numeric_state", "entity_id": [name], "above": 1000.0}
            await numeric_state.async_attach_trigger(hass, config, fired, info)
        await hass.async_block_till_done()
        start = time.perf_counter()
        for value in range(1, rounds + 1):
            for number, name in enumerate(names):
                hass.states.async_set(name, "2000" if (number + value) % 100 == 0 else str(value), ATTRIBUTES)
            await asyncio.sleep(0)
        await hass.async_block_till_done()
        rate = rounds * entities / (time.perf_counter() - start)
        await hass.async_stop(force=True)
        return rate


async def automations(number: int = 100, rounds: int = 20) -> float:
    """Runs a second: a numeric_state trigger, a numeric_state condition, and input_number.set_value."""
    from homeassistant import bootstrap, loader
    from homeassistant.config_entries import ConfigEntries
    from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
    from homeassistant.core import CoreState, HomeAssistant, callback
    from homeassistant.setup import async_setup_component

    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        loader.async_setup(hass)
        hass.config_entries = ConfigEntries(hass, {})
        await bootstrap.async_load_base_functionality(hass)
        hass.config.skip_pip = True
        await async_setup_component(hass, "homeassistant", {})
        hass.states.async_set("sensor.soc", "80")
        inputs = {f"limit_{n}": {"min": 0, "max": 1_000_000, "initial": 0} for n in range(number)}
        rules = [
            {
                "id": f"rule_{n}", "alias": f"rule {n}",
                "trigger": [{"platform": "numeric_state", "entity_id": f"sensor.power_{n}", "above": 1000}],
                "condition": [{"condition": "numeric_state", "entity_id": "sensor.soc", "above": 60}],
                "action": [{"service": "input_number.set_value", "target": {"entity_id": f"input_number.limit_{n}"},
                            "data": {"value": 7}}],
            }
            for n in range(number)
        ]  # fmt: skip
        for n in range(number):
            hass.states.async_set(f"sensor.power_{n}", "0", ATTRIBUTES)
        assert await async_setup_component(hass, "input_number", {"input_number": inputs})
        assert await async_setup_component(hass, "automation", {"automation": rules})
        hass.set_state(CoreState.running)
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await hass.async_block_till_done()
        runs = []
        hass.bus.async_listen("automation_triggered", callback(lambda event: runs.append(event)), run_immediately=True)
        start = time.perf_counter()
        for value in range(1, rounds + 1):
            for power in (str(2000 + value), "0"):
                for n in range(number):
                    hass.states.async_set(f"sensor.power_{n}", power, ATTRIBUTES)
                await hass.async_block_till_done()
        took = time.perf_counter() - start
        done = [hass.states.get(f"input_number.limit_{n}").state for n in range(number)]
        assert all(float(each) == 7 for each in done), done[:3]
        assert len(runs) == number * rounds, len(runs)
        await hass.async_stop(force=True)
        return number * rounds / took


async def figures(what: str) -> dict[str, float]:
    if what == "rules":
        found = {"thresholds": statistics.median([await thresholds() for _ in range(ROUNDS)])}
        return found | {"runs": statistics.median([await automations() for _ in range(ROUNDS)])}
    if what == "states":
        return {"states 1": statistics.median([await states() for _ in range(ROUNDS)])}
    found = {}
    for number in (1, 10):
        ways = [statistics.median([await bus(number, in_place) for _ in range(ROUNDS)]) for in_place in (False, True)]
        found[f"bus {number}"] = max(ways)
    return found


STARTED = '''
async def async_setup(hass, config):
    async def started(event):
        print("STARTED", flush=True)
    hass.bus.async_listen_once("homeassistant_started", started)
    return True
'''
MANIFEST = {
    "domain": "started", "name": "Started", "version": "1.0.0", "codeowners": [], "documentation": "", "iot_class": "calculated",
    "requirements": [], "dependencies": [],
}  # fmt: skip


def rss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def start_once(folder: Path) -> tuple[float, float]:
    start = time.perf_counter()
    command = [sys.executable, "-m", "homeassistant", "--skip-pip", "-c", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as hass:
        patience = threading.Timer(60, hass.kill)
        patience.start()
        while (line := hass.stdout.readline()) and b"STARTED" not in line:
            pass
        took = time.perf_counter() - start
        time.sleep(2)
        memory = rss_mib(hass.pid) if line else 0.0
        patience.cancel()
        hass.terminate()
        hass.wait(30)
    if not line:
        raise RuntimeError("it did not start")
    return took, memory


def start(folder: Path) -> dict[str, float]:
    """One start with the configuration in the folder, which the first one makes."""
    if not (folder / "configuration.yaml").exists():
        part = folder / "custom_components" / "started"
        part.mkdir(parents=True)
        (part / "manifest.json").write_text(json.dumps(MANIFEST))
        (part / "__init__.py").write_text(STARTED)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "configuration.yaml").write_text(f"started:\nhttp:\n  server_host: 127.0.0.1\n  server_port: {port}\n")
    took, memory = start_once(folder)
    return {"start s": took, "rss MiB": memory}


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    asked = sys.argv[1]
    print(json.dumps(start(Path(sys.argv[2])) if asked == "start" else asyncio.run(figures(asked))), flush=True)
    os._exit(0)  # it leaves threads behind
