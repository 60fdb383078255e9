"""One row of the table: what was measured, what it should be, and what stood beside it in the same run."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Beside:
    """The limit or peer that did the same work in the same run. `wanted` is the ratio to reach, or not to pass."""

    name: str
    value: float | None  # None: not installed
    wanted: float

    @property
    def text(self) -> str:
        """For the table."""
        return f"{self.name}: not installed" if self.value is None else f"{self.name} {figure(self.value)}"


@dataclass(frozen=True)
class Row:
    """A measured figure. `less` says that less is better."""

    what: str
    unit: str
    measured: float
    wanted: float | None = None
    beside: tuple[Beside, ...] = ()
    less: bool = False
    note: str = ""
    ratios: dict[str, float] = field(default_factory=dict)  # median over the rounds where there were several

    def ratio(self, beside: Beside) -> float | None:
        """Ours by theirs."""
        if beside.value is None:
            return None
        return self.ratios.get(beside.name, self.measured / beside.value)

    def shortfalls(self) -> list[str]:
        """What of it does not reach what is wanted, in words."""
        found = []
        if self.wanted is not None and not self._reaches(self.measured, self.wanted):
            found.append(f"{figure(self.measured)} {self.unit}, wanted {self._bound} {figure(self.wanted)}")
        for beside in self.beside:
            ratio = self.ratio(beside)
            if ratio is not None and not self._reaches(ratio, beside.wanted):
                found.append(f"{ratio:.2f} × {beside.text}, wanted {self._bound} {beside.wanted:g} ×")
        return found

    def markdown(self) -> str:
        """One line of the table."""
        sides = "; ".join(
            beside.text if (ratio := self.ratio(beside)) is None else f"**{ratio:.2f} ×** {beside.text} ({self._bound} {beside.wanted:g})"
            for beside in self.beside
        )
        wanted = "" if self.wanted is None else f"{self._bound} {figure(self.wanted)}"
        mark = "no" if self.shortfalls() else "yes"
        return f"| {self.what} | {figure(self.measured)} {self.unit} | {wanted} | {sides} | {mark} | {self.note} |"

    @property
    def _bound(self) -> str:
        return "≤" if self.less else "≥"

    def _reaches(self, value: float, wanted: float) -> bool:
        return value <= wanted if self.less else value >= wanted


HEAD = "| what | measured | wanted | beside it, same run | reached | note |\n| --- | --- | --- | --- | --- | --- |"


def figure(value: float) -> str:
    """A number as people read it: three digits that count."""
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def rounds(usual: int) -> int:
    """How often a row is measured: OHMSTEAD_BENCH_ROUNDS, else as often as it usually is."""
    return int(os.environ.get("OHMSTEAD_BENCH_ROUNDS", usual))


def side_by_side(name: str, ours: Sequence[float], theirs: Sequence[float], wanted: float) -> tuple[Beside, dict[str, float]]:
    """The peer's median, and the median of the ratios round by round: neighbours on the machine disturb both alike."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Beside(name, statistics.median(theirs), wanted), {name: statistics.median(ratios)}


def plain(row: Row) -> dict[str, Any]:
    """A row as JSON keeps it."""
    return asdict(row)


def read(data: dict[str, Any]) -> Row:
    """A row from JSON."""
    return Row(**{**data, "beside": tuple(Beside(**beside) for beside in data["beside"])})
