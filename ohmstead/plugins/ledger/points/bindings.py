"""Bindings: which series measure a meter point, in which span of time, and how their values are to be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, iso
from ohmstead.core.errors import Invalid

SINCE_EVER = EARLIEST_MS  # where a binding begins that states no beginning
LONGEST_GAP_MS = 3_600_000
MILLIONTHS = 1_000_000  # integers of one kWh, or m³


class Resets(StrEnum):
    """Whether a register begins at 0 again by itself."""

    NONE = "none"
    DAILY = "daily"
    ON_BOOT = "on_boot"


class Part(StrEnum):
    """Which part of signed values counts. On a register, positive and negative say that it may fall by design."""

    ALL = "all"
    POSITIVE = "positive"
    NEGATIVE = "negative"


class Term(msgspec.Struct, frozen=True):
    """One series, `device.quantity`, and how to read it.

    `factor` multiplies its values (current transformer, pulse weight). `modulus` is the count at which a register
    returns to 0, `opening` what it showed at the start of the binding, `closing` what at its end: all three as it
    displays, before the factor.
    """

    series: str
    factor: Decimal = Decimal(1)
    modulus: Decimal | None = None
    resets: Resets = Resets.NONE
    part: Part = Part.ALL
    opening: Decimal | None = None
    closing: Decimal | None = None

    @property
    def device(self) -> str:
        """The device of its series."""
        return self.series.partition(".")[0]

    @property
    def quantity(self) -> str:
        """The quantity of its series."""
        return self.series.partition(".")[2]


class Binding(msgspec.Struct, frozen=True):
    """The terms that measure a meter point from `from_ms` until before `to_ms`; each is derived alone, then added.

    `to_ms` None: for ever. `plausible_per_h` is the greatest mean power believed, in mWh per hour (mL per hour for
    volumes). `automatic`: the hub chose it and may change it. `number` 0: not stored yet.
    """

    from_ms: int
    to_ms: int | None
    terms: tuple[Term, ...]
    plausible_per_h: int
    longest_gap_ms: int = LONGEST_GAP_MS
    automatic: bool = False
    number: int = 0

    def series(self) -> tuple[str, ...]:
        """The addresses of its series."""
        return tuple(term.series for term in self.terms)

    def unnumbered(self) -> Binding:
        """The same whatever its number, to compare."""
        return msgspec.structs.replace(self, number=0)

    def shown(self) -> dict[str, Any]:
        """For the API."""
        start, end = None if self.from_ms == SINCE_EVER else iso(self.from_ms), None if self.to_ms is None else iso(self.to_ms)
        return {
            "number": self.number, "from": start, "to": end,
            "series": [_shown(term) for term in self.terms], "longest_gap_s": self.longest_gap_ms / 1000,
            "plausible_max": plain(Decimal(self.plausible_per_h) / MILLIONTHS), "automatic": self.automatic,
        }  # fmt: skip


def _shown(term: Term) -> dict[str, Any]:
    numbers = {name: getattr(term, name) for name in ("factor", "modulus", "opening", "closing")}
    shown = {name: None if value is None else plain(value) for name, value in numbers.items()}
    return {"series": term.series, **shown, "resets": term.resets.value, "part": term.part.value}


def plain(value: Decimal) -> str:
    """A decimal as people write it: no exponent, no zeros behind."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def overlap(bindings: Iterable[Binding]) -> tuple[Binding, Binding] | None:
    """The first two that overlap, or None."""
    for one, other in pairwise(sorted(bindings, key=lambda binding: binding.from_ms)):
        if _end(one) > other.from_ms:
            return one, other
    return None


def refuse_overlap(bindings: Sequence[Binding], where: str) -> None:
    """Invalid when two of them overlap: which, and what would be right."""
    found = overlap(bindings)
    if found is not None:
        one, other = found
        raise Invalid(f"{where}: {span(one)} ({', '.join(one.series())}) overlaps {span(other)} ({', '.join(other.series())}); "
                      f"end the first where the second begins, or begin the second later")  # fmt: skip


def seams(bindings: Sequence[Binding]) -> list[int]:
    """The instants, in order, at which a meter was swapped and its registers are known."""
    ended = {binding.to_ms for binding in bindings if any(term.closing is not None for term in binding.terms)}
    return sorted(each.from_ms for each in bindings if each.from_ms in ended or any(term.opening is not None for term in each.terms))


def span(binding: Binding) -> str:
    """When it holds, for people."""
    start = "since ever" if binding.from_ms == SINCE_EVER else f"from {iso(binding.from_ms)}"
    return f"the binding {start} {'on' if binding.to_ms is None else f'to {iso(binding.to_ms)}'}"


def around(automatic: Iterable[Binding], stated: Sequence[Binding]) -> Iterator[Binding]:
    """The automatic bindings, cut back to the time that no stated one takes."""
    for binding in automatic:
        start_ms, end_ms = binding.from_ms, _end(binding)
        for other in sorted(stated, key=lambda each: each.from_ms):
            if start_ms < other.from_ms < end_ms:
                yield msgspec.structs.replace(binding, from_ms=start_ms, to_ms=other.from_ms)
            if other.from_ms < end_ms:
                start_ms = max(start_ms, _end(other))
        if start_ms < end_ms:
            yield msgspec.structs.replace(binding, from_ms=start_ms)


def _end(binding: Binding) -> int:
    return LATEST_MS if binding.to_ms is None else binding.to_ms
