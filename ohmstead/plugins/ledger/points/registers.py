"""Tariff registers: what a meter counts apart while one of its tariffs is in force, t1 to t4.

A binding to them has each as a term. A binding to the total register has them as parts: derived beside it where the
meter has them, and never added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ohmstead.plugins.ledger.points.bindings import Binding, Part, Resets, Term

TOTALS = ("energy_import", "energy_export")
TARIFFS = ("t1", "t2", "t3", "t4")
FIRST_PART = 100  # tracks from this number on are parts: they are not in the sum


def parts(binding: Binding) -> Iterator[tuple[int, Term]]:
    """The tariff registers beside the total registers of a binding, with the number of their track."""
    for place, term in enumerate(binding.terms):
        if term.quantity in TOTALS and term.part is Part.ALL:
            for number, tariff in enumerate(TARIFFS):
                plain = replace(term, series=f"{term.series}_{tariff}", modulus=None, resets=Resets.NONE, opening=None, closing=None)
                yield FIRST_PART * (place + 1) + number, plain


def tracks(binding: Binding) -> Iterator[tuple[str, int]]:
    """The tariff and the number of every track of a binding that is of one."""
    for place, term in enumerate(binding.terms):
        tariff = term.quantity.rpartition("_")[2]
        if tariff in TARIFFS:
            yield tariff, place
    for place, term in parts(binding):
        yield term.series.rpartition("_")[2], place


def beside(addresses: Iterable[str]) -> Iterator[str]:
    """Series, and the tariff registers that may be beside them."""
    for address in addresses:
        yield address
        if address.partition(".")[2] in TOTALS:
            yield from (f"{address}_{tariff}" for tariff in TARIFFS)
