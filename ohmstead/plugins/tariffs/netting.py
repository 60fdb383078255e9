"""Netting of export against import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

NAME = "netting"
SCHEMA: dict[Any, Any] = {}


@dataclass(frozen=True, slots=True)
class Netting:
    """Over which time export meets import, and what becomes of what is left."""

    over: str | None = None
    carry: str | None = None
    expires_months: int | None = None
    true_up: tuple[int, int] | None = None
    price: Fraction = Fraction(0)


def compiled(options: Mapping[str, Any]) -> Netting:
    """The rule that checked options describe."""
    return Netting()
