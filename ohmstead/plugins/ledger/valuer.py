"""What the ledger asks of those who know money: the worth of changed intervals, and which bills are issued over them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import msgspec

from ohmstead.plugins.ledger.sheet import Sheet


class Changed(msgspec.Struct, frozen=True):
    """The intervals of a meter point as they are and as they would be, over the same slots."""

    meter_point: str
    before: Sequence[Sheet]
    after: Sequence[Sheet]


class Worth(msgspec.Struct, frozen=True):
    """What they cost under one contract, in its currency, exactly: a credit is negative."""

    contract: str
    currency: str
    before: Fraction
    after: Fraction


class Valuer(Protocol):
    """Joined to the ledger by the composition root; without one, findings and previews speak of energy alone."""

    async def value(self, changes: Sequence[Changed]) -> Sequence[Worth]:
        """The worth of changes that happen together, one for each contract they touch."""

    async def issued(self, meter_points: Sequence[str], start_ms: int, end_ms: int) -> Sequence[str]:
        """The ids of issued bills that count energy of these meter points in a half-open span."""
