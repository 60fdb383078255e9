"""The hub as a process: logging, signals, and a stop that never takes longer than it may."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ohmstead.config import log as logs
from ohmstead.config.house import House

log = logging.getLogger(__name__)

STOP_S = 9.0  # service managers wait 10 s before they kill


def serve(folder: Path, options: Mapping[str, str], started: Callable[[House], None] | None = None) -> None:
    """Run the house in `folder` until SIGTERM or Ctrl-C. ConfigError, Unavailable."""
    asyncio.run(_serve(folder, options, started))


async def _serve(folder: Path, options: Mapping[str, str], started: Callable[[House], None] | None) -> None:
    logs.set_up({})
    house = House(folder, options=options)
    logs.set_up(house.checked.sections["log"], house.checked.secrets)
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, house.reload_soon)
    try:
        await house.open()
        await house.start()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)  # a batch makes thousands of objects that are gone when it is stored
        gc.enable()
        if started is not None:
            started(house)
        await stopped.wait()
        log.info("stopping")
    finally:
        await _stop(house)


async def _stop(house: House) -> None:
    stopping = asyncio.create_task(house.stop())
    await asyncio.wait({stopping}, timeout=STOP_S)
    if not stopping.done():
        log.error("the house did not stop within %g s; what was acknowledged is stored", STOP_S)
        logging.shutdown()
        os._exit(1)
    await stopping


def play(url: str, devices: int, every_s: float, faults: float, seed: int) -> None:
    """Play simulated devices until SIGTERM or Ctrl-C. ConfigError for a broker that cannot be, Refused."""
    asyncio.run(_play(url, devices, every_s, faults, seed))


async def _play(url: str, devices: int, every_s: float, faults: float, seed: int) -> None:
    from ohmstead.core.clock import Clock
    from ohmstead.integrations.demo_house.simulate import broker, players, simulate

    logs.set_up({})
    clock, every_ms = Clock(), round(every_s * 1000)
    houses = players(devices, every_ms, faults, seed, clock.now_ms())
    playing = asyncio.create_task(simulate(broker(url), houses, every_ms, clock))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    with suppress(asyncio.CancelledError):
        await playing
