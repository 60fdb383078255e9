"""A meter is replaced by another one: one binding ends, the next begins, and no step crosses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from ohmstead.core.clock import LATEST_MS, iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.ledger.points.bindings import Binding


def swapped(
    bindings: Sequence[Binding], after: Binding | None, at_ms: int, closing: Decimal | None, opening: Decimal | None
) -> list[Binding]:
    """The bindings with the meter swapped at `at_ms`; Invalid when nothing measures then, or a register is of several.

    The old one ends there with `closing`, and `after` (None: the same series as before) goes on with `opening` as long
    as the old one would have. Without the registers, what passed between the last reading of the old meter and the first
    of the new is missing.
    """
    old = next((each for each in bindings if each.from_ms < at_ms < (each.to_ms or LATEST_MS)), None)
    if old is None:
        raise Invalid(f"at: nothing measures the meter point at {iso(at_ms)}; bind a series from then on instead")
    later = old if after is None else after
    ended = msgspec.structs.replace(_with(old, at_ms, "closing", closing), to_ms=at_ms, automatic=False)
    begun = msgspec.structs.replace(_with(later, at_ms, "opening", opening), from_ms=at_ms, to_ms=old.to_ms, automatic=False, number=0)
    return [*(each for each in bindings if each is not old), ended, begun]


def _with(binding: Binding, at_ms: int, name: str, register: Decimal | None) -> Binding:
    """The binding with what its register showed; none of before holds any more when it ends or begins elsewhere."""
    if register is not None and len(binding.terms) > 1:
        raise Invalid(f"{name}: {', '.join(binding.series())} are several registers; end the binding at {iso(at_ms)} and state it for each")
    terms = tuple(msgspec.structs.replace(term, **{name: register}) for term in binding.terms)
    return msgspec.structs.replace(binding, terms=terms)
