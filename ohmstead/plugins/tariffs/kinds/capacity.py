"""Capacity: a price for the highest mean power of 15, 30 or 60 minutes, of import before netting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.demand import Peak, highest, incomplete, top, windows
from ohmstead.plugins.tariffs.lines import Piece
from ohmstead.plugins.tariffs.local import MINUTE_MS
from ohmstead.plugins.tariffs.part import Turn
from ohmstead.plugins.tariffs.proration import share_of
from ohmstead.plugins.tariffs.schedule import Schedule
from ohmstead.plugins.tariffs.selection import Selection
from ohmstead.plugins.tariffs.till import ZERO, Till
from ohmstead.plugins.tariffs.windows import WHEN, when, window

PERIODS = ("month", "year", "bill")
RATCHET: dict[Any, Any] = {
    vol.Required("percent", description="of the highest peak of the periods before"): money.between(1, 100, "%"),
    vol.Required("periods", description="how many periods before"): validate.integer(1, 60),
}
SCHEMA: dict[Any, Any] = {
    vol.Required("price", description="price per kW and month, year or bill"): money.positive,
    vol.Optional("per", default="month", description="what the price is for: month, year or bill; shared by days where a bill cuts it"):
        validate.one_of(*PERIODS),
    vol.Optional("period", default="month", description="of which the peak is sought: month, year or bill"): validate.one_of(*PERIODS),
    vol.Optional("window", default=15, description="minutes of local time over which power is averaged: 15, 30 or 60"):
        vol.All(validate.integer(15, 60), vol.In((15, 30, 60), msg="expected 15, 30 or 60")),
    vol.Optional("peaks", default=1, description="the mean of so many highest windows is taken"): validate.integer(1, 50),
    vol.Optional("different_days", default=False, description="true: of these, one on each day"): validate.boolean,
    vol.Optional("floor_kw", description="the least that a period's peak counts"): money.positive,
    vol.Optional("average", default=1, description="the mean of the peaks of so many last periods is billed"): validate.integer(1, 60),
    vol.Optional("ratchet", description="a share of earlier peaks that is the least that is billed"): RATCHET,
    WHEN: when,
}  # fmt: skip


class Capacity(msgspec.Struct, frozen=True):
    """`floor_kw` is None where there is none; `ratchet` is (share, periods), periods 0 where there is none."""

    price: Fraction
    per: str
    period: str
    window_ms: int
    peaks: int
    different_days: bool
    floor_kw: Fraction | None
    average: int
    ratchet: tuple[Fraction, int]
    selection: Selection

    def peak_kw(self, found: Sequence[Peak]) -> Fraction | None:
        """What a period's highest windows count; None when there is no complete window and no floor."""
        if not found:
            return self.floor_kw
        mean = sum((peak.kw for peak in found), ZERO) / len(found)
        return mean if self.floor_kw is None else max(mean, self.floor_kw)

    def billed_kw(self, known: Mapping[str, Sequence[Peak]], name: str) -> Fraction | None:
        """What is billed for a period: the mean of the last peaks, and never less than the ratchet's share of earlier ones."""
        if self.peak_kw(known[name]) is None:
            return None
        periods = sorted(each for each in known if each <= name)
        last = [kw for each in periods[-self.average :] if (kw := self.peak_kw(known[each])) is not None]
        share, back = self.ratchet
        before = [kw for each in periods[:-1][-back:] if back and (kw := self.peak_kw(known[each])) is not None]
        return max(sum(last, ZERO) / len(last), share * max(before, default=ZERO))


class Stay(NamedTuple):
    """The time that a peak of a period is billed for under one version."""

    turn: Turn
    start_ms: int
    end_ms: int


def compile_rule(options: Mapping[str, Any], holidays: frozenset[date]) -> Capacity:
    """The rule that checked options describe."""
    ratchet = options.get("ratchet")
    spans = tuple(window(each) for each in options.get("when", ()))
    return Capacity(
        Fraction(options["price"]), options["per"], options["period"], options["window"] * MINUTE_MS,
        options["peaks"], options["different_days"], Fraction(options["floor_kw"]) if "floor_kw" in options else None, options["average"],
        (Fraction(ratchet["percent"]) / 100, ratchet["periods"]) if ratchet else (ZERO, 0),
        Selection("gross_import", Schedule(spans, (0,) * len(spans), holidays)),
    )  # fmt: skip


def charge(turns: Sequence[Turn], till: Till) -> None:
    """One line per version and period. The peak of a period is that of all its windows by now, whichever version they lie in."""
    known = {name: [Peak(*each) for each in peaks] for name, peaks in till.carry.get("peaks", {}).items()}
    stays: dict[str, list[Stay]] = {}
    for turn in turns:
        rule, part = turn.rule, turn.part
        for span in part.spans(rule.period):
            stay = Stay(turn, max(span.start_ms, part.start_ms), min(span.end_ms, part.end_ms))
            name = span.first.isoformat()
            found = [*known.get(name, ()), *_found(stay, till)]
            known[name] = top(found, rule.peaks, rule.different_days, part.zone)
            stays.setdefault(name, []).append(stay)
    for name, of in stays.items():
        _bill(of, known, name, till)
    rule = turns[-1].rule
    kept = sorted(known)[-max(rule.average, rule.ratchet[1], 1) - 1 :]
    till.keep["peaks"] = {name: [list(peak) for peak in known[name]] for name in kept}


def _found(stay: Stay, till: Till) -> Iterator[Peak]:
    """The windows that may be the highest; those with missing parts are listed."""
    rule, part = stay.turn.rule, stay.turn.part
    runs = list(part.runs(rule.selection, stay.start_ms, stay.end_ms))
    for found in windows(part.meter(rule.selection.meter), part.zone, stay.start_ms, stay.end_ms, rule.window_ms):
        whole = -1 not in found.energy
        for run in runs:
            yield from highest(found, run, rule.peaks, rule.different_days, part.zone)
            for gone in () if whole else incomplete(found, run):
                till.leaves_out(stay.turn, gone.start_ms, gone.start_ms + gone.length_ms)


def _bill(stays: Sequence[Stay], known: Mapping[str, Sequence[Peak]], name: str, till: Till) -> None:
    for turn, start_ms, end_ms in stays:
        rule: Capacity = stays[-1].turn.rule
        kw = rule.billed_kw(known, name)
        if kw is None:
            if any(turn.part.runs(turn.rule.selection, start_ms, end_ms)):  # else no hour of it is named: there is nothing to charge
                till.lacks(turn, "no complete window", start_ms, end_ms)
            continue
        own: Capacity = turn.rule
        share = share_of(turn.part.zone, start_ms, end_ms, own.per, bill=turn.part.bill)
        unit = "kW" if own.per == "bill" else f"kW × {own.per}"
        label = {"month": name[:7], "year": name[:4], "bill": ""}[rule.period]
        pieces = [piece for peak in known[name] for piece in _pieces(turn, peak)]
        till.add(turn, label, kw * share, unit, own.price, slots=sum(p.last - p.first for p in pieces), pieces=pieces)


def _pieces(turn: Turn, peak: Peak) -> Iterator[Piece]:
    """The slots of a window, as far as they lie in this bill."""
    for column in turn.part.meter(turn.rule.selection.meter).columns:
        first, last = column.place(peak.start_ms), column.place(peak.start_ms + peak.length_ms)
        if first < last:
            yield Piece(column, first, last, ZERO)


KIND = TariffKind("capacity", SCHEMA, compile_rule, charge, "a price for the highest power")
