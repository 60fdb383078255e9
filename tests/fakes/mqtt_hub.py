"""A hub of MQTT, native topics and SQLite alone, for tests that kill it. Usage: mqtt_hub.py FOLDER PORT PROTOCOL."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ohmstead.config.parts import Parts
from ohmstead.plugins.protocols.mqtt import Options


async def main(folder: Path, port: int, protocol: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = Parts(folder, f"sqlite:///{folder}/hub.db", "process")
    hub = parts.hub
    parts.contributions.discover()
    await parts.open()
    hub.routes()
    await hub.start()
    await parts.mqtt.apply(Options("127.0.0.1", port, protocol=protocol))
    while not parts.mqtt.connected:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    parts.mqtt.hold()
    await hub.stop()
    await parts.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
