"""Modbus TCP by pymodbus: one shared connection per gateway, one request at a time. The only file that knows pymodbus.

A gateway leads to one RS-485 bus with several units (devices) on it; most take a single connection, and all mix up
answers when requests overlap. Source: Modbus Application Protocol 1.1b3, Messaging on TCP/IP 1.0b.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ohmstead.core.clock import Clock
from ohmstead.core.errors import OhmsteadError, Unavailable, Unsupported
from ohmstead.plugins.protocols.home import Home

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusTcpClient
    from pymodbus.pdu import ModbusPDU

PORT = 502
MOST_REGISTERS = 125  # one request can ask for
TIMEOUT_S = 3.0
RETRIES = 1  # a lost frame on a noisy bus is no news
SPACING_S = 0.05  # RS-485 units need a pause between two requests
FUNCTIONS = {3: "holding", 4: "input"}
# What a unit answers when it cannot: its code, in words, and whether asking again could help.
_EXCEPTIONS = {
    1: ("it does not know this function", False),
    2: ("illegal address: it has no such registers", False),
    3: ("illegal value: it does not give that many registers at once", False),
    4: ("device failure", True),
    5: ("it needs more time", True),
    6: ("it is busy", True),
    8: ("memory parity error", True),
    10: ("the gateway has no path to it", True),
    11: ("it does not answer the gateway", True),
}


class ModbusBus:
    """What is behind one host and port. Shared by all devices there; requests go out one after the other."""

    def __init__(self, host: str, port: int, timeout_s: float, clock: Clock, home: Home) -> None:
        self.place = f"{host}:{port}"
        self.users = 0
        self._host, self._port, self._timeout_s, self._clock, self._home = host, port, timeout_s, clock, home
        self._client: AsyncModbusTcpClient | None = None
        self._turn = asyncio.Lock()
        self._free_at = 0.0

    async def read(self, unit: int, function: int, address: int, count: int) -> list[int]:
        """`count` registers (0 … 65535 each) of a unit from `address`, zero-based as on the wire.

        `function` is 3 (holding registers) or 4 (input registers). Unavailable when the gateway or the unit does not
        answer, Unsupported when the unit says that it has no such registers.
        """
        if function not in FUNCTIONS or not 1 <= count <= MOST_REGISTERS:
            raise ValueError(f"function {function} with {count} registers: 3 or 4, and 1 to {MOST_REGISTERS}")
        return await self._home.run(lambda: self._read(unit, function, address, count))

    async def _read(self, unit: int, function: int, address: int, count: int) -> list[int]:
        async with self._turn:
            await self._pause()
            client = await self._connected()
            try:
                answer = await self._ask(client, unit, function, address, count)
            finally:
                self._free_at = self._clock.monotonic() + SPACING_S
        what = f"unit {unit} at {self.place}, {FUNCTIONS[function]} registers {address:#06x} to {address + count - 1:#06x}"
        if answer.isError():
            raise _exception(what, getattr(answer, "exception_code", 0))
        if len(answer.registers) != count:
            raise Unavailable(f"{what}: {len(answer.registers)} came instead of {count}")
        return list(answer.registers)

    async def _pause(self) -> None:
        wait_s = self._free_at - self._clock.monotonic()
        if wait_s > 0:
            await self._clock.sleep(wait_s)

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        from pymodbus.client import AsyncModbusTcpClient

        # It would log each lost request as an error; we say it once, in our own words.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        self.disconnect()
        client = AsyncModbusTcpClient(self._host, port=self._port, timeout=self._timeout_s, retries=RETRIES, reconnect_delay=0)
        if not await client.connect():
            client.close()
            raise Unavailable(f"{self.place} cannot be reached")
        self._client = client
        return client

    async def _ask(self, client: AsyncModbusTcpClient, unit: int, function: int, address: int, count: int) -> ModbusPDU:
        from pymodbus.exceptions import ConnectionException, ModbusException

        read = client.read_holding_registers if function == 3 else client.read_input_registers
        try:
            return await read(address, count=count, device_id=unit)
        except ConnectionException as error:
            self.disconnect()
            raise Unavailable(f"{self.place} lost the connection") from error
        except ModbusException as error:
            raise Unavailable(f"unit {unit} at {self.place} does not answer") from error

    def disconnect(self) -> None:
        """Close the connection; the next read opens it again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _exception(what: str, code: int) -> OhmsteadError:
    text, again = _EXCEPTIONS.get(code, (f"exception {code}", True))
    return Unavailable(f"{what}: {text}") if again else Unsupported(f"{what}: {text}")


class Modbus:
    """The buses in use, by host and port."""

    def __init__(self, clock: Clock, home: Home) -> None:
        self._clock, self._home = clock, home
        self._buses: dict[tuple[str, int], ModbusBus] = {}

    @asynccontextmanager
    async def bus(self, host: str, port: int = PORT, timeout_s: float = TIMEOUT_S) -> AsyncIterator[ModbusBus]:
        """The bus at `host`; its connection closes when the last of its users has left the block.

        `timeout_s` bounds one attempt at one request; the first user's holds.
        """
        bus = await self._home.run(lambda: self._enter(host, port, timeout_s))
        try:
            yield bus
        finally:
            await self._home.run(lambda: self._leave(host, port))

    async def _enter(self, host: str, port: int, timeout_s: float) -> ModbusBus:
        bus = self._buses.setdefault((host, port), ModbusBus(host, port, timeout_s, self._clock, self._home))
        bus.users += 1
        return bus

    async def _leave(self, host: str, port: int) -> None:
        bus = self._buses[host, port]
        bus.users -= 1
        if bus.users == 0:
            del self._buses[host, port]
            bus.disconnect()

    def close(self) -> None:
        """Close every connection."""
        for bus in self._buses.values():
            bus.disconnect()
