"""A table on its way out: columns of known kinds, and rows in batches, so that none is ever held whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

import msgspec

Row = tuple[Any, ...]


class Kind(Enum):
    """What the cells of a column are; every cell may be None."""

    TEXT = "text"
    INSTANT = "instant"  # milliseconds since 1970; written as ISO 8601 in UTC, or as the format's own instant
    MILLIONTHS = "millionths"  # whole millionths: mWh of kWh, mL of m³, millionths of a currency; written as exact decimals
    EXACT = "exact"  # a decimal as text
    WHOLE = "whole"
    REAL = "real"


class Column(msgspec.Struct, frozen=True):
    """One column."""

    name: str
    kind: Kind = Kind.TEXT


class Table(msgspec.Struct, frozen=True):
    """What is exported: the name of its file without suffix, its columns, and its rows in batches of some thousands."""

    name: str
    columns: tuple[Column, ...]
    batches: AsyncIterator[list[Row]]


def decimal(millionths: int) -> str:
    """Millionths as an exact decimal of the whole, without zeros at its end.

    >>> decimal(-1_500_000), decimal(7)
    ('-1.5', '0.000007')
    """
    whole, rest = divmod(abs(millionths), 1_000_000)
    text = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{text}" if millionths < 0 else text
