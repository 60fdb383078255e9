"""Modbus meters behind one gateway on 127.0.0.1, served by pymodbus; and a gateway that misbehaves, written by hand."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


class FakeMeters:
    """`units`: unit number -> {address of a float32 in the input registers: value}."""

    def __init__(self, units: Mapping[int, Mapping[int, float]], size: int = 0x0200) -> None:
        self.units, self._size = units, size
        self.requests: list[tuple[int, int, int]] = []  # unit, address, count
        self.connections = 0
        self.port = 0
        self._server: ModbusTcpServer | None = None

    async def start(self) -> FakeMeters:
        devices = [self._device(unit, values) for unit, values in self.units.items()]
        self._server = ModbusTcpServer(devices, address=("127.0.0.1", self.port), trace_connect=self._connected)
        await self._server.listen()
        self.port = self._server.transport.sockets[0].getsockname()[1]
        return self

    def _connected(self, connected: bool) -> None:
        self.connections += 1 if connected else -1

    def _device(self, unit: int, values: Mapping[int, float]) -> SimDevice:
        registers = [0] * self._size
        for address, value in values.items():
            registers[address : address + 2] = struct.unpack(">2H", struct.pack(">f", value))

        async def seen(function: int, start: int, address: int, count: int, current: list[int], values: object) -> None:
            self.requests.append((unit, address, count))

        return SimDevice(unit, [SimData(0, values=registers, datatype=DataType.REGISTERS)], action=seen)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()
            self._server = None

    async def __aenter__(self) -> FakeMeters:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class FakeGateway:
    """Answers each request with the next of `answers`: a PDU after the unit, or None for silence. Notes overlaps."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.busy = self.overlaps = 0
        self.asked: list[bytes] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while header := await reader.readexactly(7):
                transaction, _, length, unit = struct.unpack(">HHHB", header)
                pdu = await reader.readexactly(length - 1)
                self.asked.append(header + pdu)
                self.overlaps += self.busy
                self.busy += 1
                await asyncio.sleep(0.01)
                self.busy -= 1
                answer = self.answers.pop(0) if self.answers else None
                if answer is not None:
                    writer.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def __aenter__(self) -> FakeGateway:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await asyncio.sleep(0.01)  # the handlers end once their client is gone
