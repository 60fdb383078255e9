"""The limit of MQTT: an aiomqtt consumer of QoS 1 that does nothing with what it gets.

    python -m bench.bare_mqtt PORT COUNT
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiomqtt


async def consume(port: int, count: int) -> None:
    """Say ready once subscribed, and the instant of the last message."""
    async with aiomqtt.Client("127.0.0.1", port, identifier="bare") as client:
        await client.subscribe("devices/#", qos=1)
        print("ready", flush=True)
        async for _ in client.messages:
            count -= 1
            if not count:
                break
        print(json.dumps({"at": time.monotonic()}), flush=True)


if __name__ == "__main__":
    asyncio.run(consume(*map(int, sys.argv[1:3])))
