"""Smart meters of the Netherlands, Belgium, Luxembourg and Sweden: DSMR telegrams of the P1 port, over a TCP bridge.

Source: DSMR P1 companion standard 5.0.2; e-MUCS-P1 1.7 for Belgium. A telegram runs from "/" to "!" and ends with a
CRC-16 of all of it since version 4; versions 2 and 3 have none.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Unavailable, Unsupported
from ohmstead.core.model import DeviceInfo, Reading
from ohmstead.core.plugin import Integration, Item, hookimpl
from ohmstead.core.quantity import Quantities, convert
from ohmstead.plugins.protocols import Context

SCHEMA = {
    vol.Required("host", description="address of the P1 bridge on your network"): validate.host,
    vol.Optional("port", default=23, description="TCP port on which the bridge sends telegrams"): validate.port,
    vol.Optional("time_zone", default="Europe/Amsterdam", description="zone that the meter's clock shows"): validate.time_zone,
}
SILENT_S = 60.0  # version 4 speaks every 10 s, version 5 every second
LONGEST = 16_384  # bytes; the longest telegrams have about 4,000

_START = re.compile(rb"/[A-Za-z0-9]{3}[^\r\n/!]*\r?\n")
_END = re.compile(rb"!([0-9A-Fa-f]{4})?[ \t]*\r?\n")
_VERSION = re.compile(rb"1-3:0\.2\.8\(|0-0:96\.1\.4\(")
_LINE = re.compile(r"(\d+)-(\d+):(\d+\.\d+\.\d+)((?:\([^()]*\))+)")
_FIELD = re.compile(r"\(([^()]*)\)")
_TIME = re.compile(r"(\d{12})([SW]?)")
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?:\*(\S+))?")

REGISTERS = {
    "1.8.0": "energy_import", "1.8.1": "energy_import_t1", "1.8.2": "energy_import_t2",
    "2.8.0": "energy_export", "2.8.1": "energy_export_t1", "2.8.2": "energy_export_t2",
    "3.8.0": "reactive_energy_import", "4.8.0": "reactive_energy_export", "14.7.0": "frequency", "1.4.0": "power_demand",
    "32.7.0": "voltage_l1", "52.7.0": "voltage_l2", "72.7.0": "voltage_l3",
    "31.7.0": "current_l1", "51.7.0": "current_l2", "71.7.0": "current_l3",
}  # fmt: skip
NET = {  # quantity: what is taken less what is given
    "power": ("1.7.0", "2.7.0"), "power_l1": ("21.7.0", "22.7.0"), "power_l2": ("41.7.0", "42.7.0"), "power_l3": ("61.7.0", "62.7.0"),
    "reactive_power": ("3.7.0", "4.7.0"), "reactive_power_l1": ("23.7.0", "24.7.0"), "reactive_power_l2": ("43.7.0", "44.7.0"),
    "reactive_power_l3": ("63.7.0", "64.7.0"),
}  # fmt: skip
M_BUS = {3: "gas", 4: "heat", 7: "water", 12: "heat"}  # device type of an M-Bus channel


class Telegrams:
    """Cuts telegrams out of a stream of bytes that may begin anywhere. What is damaged is dropped and counted in `bad`."""

    def __init__(self) -> None:
        self.bad = 0
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The telegrams that are complete with this chunk, without "!" and CRC."""
        self._buffer += chunk
        while (end := _END.search(self._buffer)) is not None:
            text = self._whole(bytes(self._buffer[: end.end()]), end)
            del self._buffer[: end.end()]
            if text is not None:
                yield text
        del self._buffer[:-LONGEST]

    def _whole(self, raw: bytes, end: re.Match[bytes]) -> str | None:
        starts = list(_START.finditer(raw))
        if not starts:
            return None  # the tail of one that began before we listened
        text = raw[starts[-1].start() : end.start()]
        if _is_whole(text, end[1]):
            return text.decode("ascii", "replace")
        self.bad += 1
        return None


def _is_whole(text: bytes, crc: bytes | None) -> bool:
    if crc is None:
        return _VERSION.search(text) is None  # versions without a CRC do not state which they are
    return crc16(re.sub(rb"\r?\n", b"\r\n", text) + b"!") == int(crc, 16)


def crc16(data: bytes) -> int:
    """CRC-16/ARC: reflected polynomial 0xA001, initial 0.

    >>> hex(crc16(b"123456789"))
    '0xbb3d'
    """
    crc, table = 0, _table()
    for byte in data:
        crc = crc >> 8 ^ table[crc & 0xFF ^ byte]
    return crc


@cache
def _table() -> tuple[int, ...]:
    """What each byte does to the CRC: bit by bit it took the loop's time every second."""
    entries = list(range(256))
    for _ in range(8):
        entries = [entry >> 1 ^ (0xA001 if entry & 1 else 0) for entry in entries]
    return tuple(entries)


class Line(NamedTuple):
    """One line: medium and channel ("1-0"), code ("1.8.1"), and its fields."""

    channel: str
    code: str
    fields: list[str]


def lines(telegram: str) -> Iterator[Line]:
    """The lines that follow the standard; some meters print ":" where "." belongs, and those are left out."""
    joined = re.sub(r"\r?\n\(", "(", telegram)  # versions 2 and 3 put the gas reading on the next line
    for text in joined.splitlines():
        match = _LINE.fullmatch(text.strip())
        if match is not None:
            yield Line(f"{match[1]}-{match[2]}", match[3], _FIELD.findall(match[4]))


def readings(telegram: str, zone: ZoneInfo, quantities: Quantities) -> Iterator[Reading]:
    """The readings of a telegram. Electricity has the telegram's own time, gas and the like that of their meter."""
    by_channel: dict[str, dict[str, list[str]]] = {}
    for line in lines(telegram):
        by_channel.setdefault(line.channel, {}).setdefault(line.code, line.fields)
    general, own = by_channel.pop("0-0", {}), by_channel.pop("1-0", {})
    at = instant(general.get("1.0.0", [""])[0], zone)
    for code, quantity in REGISTERS.items():
        value = _number(own, code, quantities[quantity].unit)
        if value is not None:
            yield Reading(quantity, value, at)
    for quantity, (taken, given) in NET.items():
        values = [_number(own, code, quantities[quantity].unit) for code in (taken, given)]
        if values != [None, None]:
            yield Reading(quantity, round((values[0] or 0) - (values[1] or 0), 6), at)
    if "96.14.0" in general and general["96.14.0"][0].isdecimal():
        yield Reading("tariff", str(int(general["96.14.0"][0])), at)
    yield from _behind(by_channel, zone, quantities)


def _number(fields: Mapping[str, list[str]], code: str, unit: str) -> float | None:
    return _value(fields[code][-1], unit) if code in fields else None


def _value(text: str, unit: str, stated: str = "") -> float | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    try:
        return round(convert(float(match[1]), match[2] or stated or unit, unit), 6)
    except Unsupported:
        return None


def _behind(by_channel: Mapping[str, Mapping[str, list[str]]], zone: ZoneInfo, quantities: Quantities) -> Iterator[Reading]:
    """The newest reading of each kind of meter on the M-Bus: an exchanged one may stay listed beside its successor."""
    newest: dict[str, Reading] = {}
    for channel, fields in by_channel.items():
        kind = fields.get("24.1.0", [""])[0]
        quantity = M_BUS.get(int(kind)) if channel.startswith("0-") and kind.isdecimal() else None
        if quantity is None:
            continue
        reading = _metered(quantity, fields, zone, quantities[quantity].unit)
        if reading is not None and (quantity not in newest or _later(reading, newest[quantity])):
            newest[quantity] = reading
    yield from newest.values()


def _metered(quantity: str, fields: Mapping[str, list[str]], zone: ZoneInfo, unit: str) -> Reading | None:
    for code in ("24.2.1", "24.2.3"):
        if len(fields.get(code, [])) == 2:
            at, value = fields[code]
            number = _value(value, unit)
            return None if number is None else Reading(quantity, number, instant(at, zone))
    old = fields.get("24.3.0", [])  # time, status, interval, count, code, unit, value
    number = _value(old[-1], unit, old[-2]) if len(old) == 7 else None
    return None if number is None else Reading(quantity, number, instant(old[0], zone))


def _later(reading: Reading, other: Reading) -> bool:
    return reading.at is not None and (other.at is None or reading.at > other.at)


def instant(text: str, zone: ZoneInfo) -> datetime | None:
    """YYMMDDhhmmss as the meter's clock shows it, with S in summer time and W in winter time; None for no time."""
    match = _TIME.fullmatch(text)
    try:
        local = datetime.strptime(match[1], "%y%m%d%H%M%S") if match is not None else None  # noqa: DTZ007 - the zone follows
    except ValueError:
        return None
    if match is None or local is None:
        return None
    here = local.replace(tzinfo=zone)
    if not match[2]:
        return here.astimezone(UTC)
    # The letter, not the zone's rules, tells the two hours apart that the clock shows twice in autumn.
    winter = (here.utcoffset() or timedelta()) - (here.dst() or timedelta())
    return (local - winter - timedelta(hours=match[2] == "S")).replace(tzinfo=UTC)


def about(telegram: str) -> DeviceInfo:
    """What the meter says of itself."""
    fields = {(line.channel, line.code): line.fields[0] for line in lines(telegram)}
    number = fields.get(("0-0", "96.1.1")) or fields.get(("0-0", "96.1.0")) or ""
    version = fields.get(("1-3", "0.2.8")) or fields.get(("0-0", "96.1.4"))
    header = telegram[1:].split("\n")[0].strip()
    return DeviceInfo(kind="meter", model=header, serial=_spelled(number), firmware=version and f"DSMR {version}")


def _spelled(digits: str) -> str | None:
    """Identifiers are ASCII written in hexadecimal."""
    try:
        return bytes.fromhex(digits).decode("ascii") or None
    except ValueError:
        return digits


async def stream(options: Mapping[str, Any], context: Context) -> AsyncIterator[Item]:
    """The readings of each telegram as it comes."""
    zone, telegrams, told = ZoneInfo(options["time_zone"]), Telegrams(), False
    async with context.tcp(options["host"], options["port"]) as bridge:
        last = context.clock.monotonic()
        while context.clock.monotonic() - last < SILENT_S:
            bad = telegrams.bad
            for telegram in telegrams.feed(await bridge.read(SILENT_S)):
                last = context.clock.monotonic()
                if not told:
                    told = True
                    yield about(telegram)
                for reading in readings(telegram, zone, context.quantities):
                    yield reading
            if bad == 0 < telegrams.bad:
                context.log.warning("a damaged telegram was dropped, as will be others; is the cable too long?")
    raise Unavailable(f"{options['host']}:{options['port']} sends bytes but no whole telegram for {SILENT_S:g} s ({telegrams.bad} damaged)")


@hookimpl
def ohmstead_integrations() -> Integration:
    return Integration("dsmr", SCHEMA, stream, description="DSMR / P1 smart meter, telegrams over a TCP bridge")
