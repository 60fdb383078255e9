"""Where a contract's energy goes: the sources and loads of its location, slot by slot."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ohmstead.plugins.billing.bill import Bill
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.supply import Sheets, Slots, Supply
from ohmstead.plugins.ledger.points.points import LOADS, SIGNS, MeterPoints, Role
from ohmstead.plugins.ledger.sheet import Sheet


class Premises(msgspec.Struct, frozen=True):
    """The slots of a period in columns of one length, in mWh: 0 where nothing is known. `starts_ms` are their beginnings.

    `consumed` is import + generation + discharge − export − charge, never below 0. `loads` are the meter points that
    hang directly under it.
    """

    starts_ms: Sequence[int]
    by_role: Mapping[Role, Sequence[int]]
    consumed: Sequence[int]
    loads: Mapping[str, Sequence[int]]

    def of(self, role: Role) -> Sequence[int]:
        """The energy of all meter points of a role."""
        return self.by_role.get(role, [0] * len(self.starts_ms))


async def premises(slots: Slots, contract: Contract, period: Period, imports: Sequence[str] | None = None) -> Premises:
    """The premises that a contract's import supplies over a billing period; several, such as flats, together as one.

    `imports` are those of its meter points that count, all of them unless given.
    """
    points = slots.points
    mine, exports = (contract.imports, contract.exports) if imports is None else (imports, ())
    within = {points.premises(points.get(slug).location) for slug in mine} or {points.premises(contract.location)}
    roles = {point.id: point.role for place in within for role in SIGNS for point in points.by_role(place, role)}
    roles |= dict.fromkeys(mine, Role.GRID_IMPORT) | dict.fromkeys(exports, Role.GRID_EXPORT)
    loads = sorted({load for place in within for load in _loads(points, place)})
    sheets = await slots.sheets([*roles, *loads], period.start_ms, period.end_ms)
    return await asyncio.to_thread(_gathered, sheets, roles, loads, period)


def _gathered(sheets: Sheets, roles: Mapping[str, Role], loads: Sequence[str], period: Period) -> Premises:
    starts = _starts(sheets, period.start_ms, period.end_ms)
    by_role = {role: _total([sheets[point] for point, its in roles.items() if its is role], starts) for role in set(roles.values())}
    consumed = array("q", bytes(8 * len(starts)))
    for role, column in by_role.items():
        for place, energy in enumerate(column):
            consumed[place] += SIGNS[role] * energy
    return Premises(starts, by_role, array("q", (max(0, energy) for energy in consumed)), {p: _total([sheets[p]], starts) for p in loads})


def _loads(points: MeterPoints, location: str) -> list[str]:
    """The loads right under the consumption of a location: those below them would count twice."""
    whole = points.consumption(location)
    direct = points.by_role(location, *LOADS) if whole is None else points.children(whole.id)
    return [point.id for point in direct if whole is not None or points.parent(point.id) is None]


def _starts(sheets: Sheets, start_ms: int, end_ms: int) -> list[int]:
    longest = next((found for found in sheets.values() if found), ())
    instants = (sheet.start_ms + place * sheet.slot_ms for sheet in longest for place in range(len(sheet)))
    return [at_ms for at_ms in instants if start_ms <= at_ms < end_ms]


def _total(of: Iterable[Sequence[Sheet]], starts_ms: Sequence[int]) -> Sequence[int]:
    places = {at_ms: place for place, at_ms in enumerate(starts_ms)}
    total = array("q", bytes(8 * len(starts_ms)))
    for sheets in of:
        for sheet in sheets:
            for number, energy in enumerate(sheet.mwh):
                place = places.get(sheet.start_ms + number * sheet.slot_ms)
                if place is not None:
                    total[place] += energy
    return total


def supplied(bill: Bill, imported: Mapping[int, int], exported: Mapping[int, int]) -> Supply:
    """The supply of a bill as if its meter points had counted this: energy in mWh by the slot's beginning, all of it measured."""
    contract = bill.contract
    sheets = {point: [_as_if(sheet, {}) for sheet in found] for point, found in bill.supply.sheets.items()}
    for points, energy in ((contract.imports, imported), (contract.exports, exported)):
        if points:
            sheets[points[0]] = [_as_if(sheet, energy) for sheet in bill.supply.sheets[points[0]]]
    return msgspec.structs.replace(bill.supply, sheets=sheets, registers={})


def _as_if(sheet: Sheet, energy: Mapping[int, int]) -> Sheet:
    starts = range(sheet.start_ms, sheet.end_ms, sheet.slot_ms)
    made = Sheet.empty(sheet.start_ms, sheet.slot_ms, len(sheet))
    made.mwh = array("q", (energy.get(at_ms, 0) for at_ms in starts))
    made.measured_ms = array("i", [sheet.slot_ms]) * len(sheet)
    return made
