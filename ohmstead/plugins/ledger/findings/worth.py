"""What a finding is worth in money: its energy, at the prices of its span."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from ohmstead.plugins.ledger.corrections.shares import by_weight
from ohmstead.plugins.ledger.findings.finding import Found
from ohmstead.plugins.ledger.money import shown
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.ledger.valuer import Changed, Valuer


async def worth(valuer: Valuer, slug: str, found: Found, sheets: Sequence[Sheet]) -> tuple[tuple[str, str, str], ...]:
    """(contract, currency, amount) for every contract; `sheets` are the meter point's slots that touch the finding's span."""
    if not found.mwh or not sheets:
        return ()
    values = await valuer.value([Changed(slug, sheets, _more(sheets, found, found.mwh))])
    return tuple((each.contract, each.currency, shown(abs(each.after - each.before))) for each in values)


def _more(sheets: Sequence[Sheet], found: Found, mwh: int) -> list[Sheet]:
    """The sheets with so much more energy, spread over the seconds of them that lie in the finding's span."""
    starts = [(sheet.start_ms + at * sheet.slot_ms, sheet.slot_ms) for sheet in sheets for at in range(len(sheet))]
    inside = [max(0, min(at_ms + slot_ms, found.end_ms) - max(at_ms, found.start_ms)) // 1000 for at_ms, slot_ms in starts]
    shares = iter(by_weight(mwh, inside if any(inside) else [slot_ms for _, slot_ms in starts]))
    more = []
    for sheet in sheets:
        energies = array("q", (had + next(shares) for had in sheet.mwh))
        whole, none = array("i", [sheet.slot_ms]) * len(sheet), array("i", [0]) * len(sheet)
        more.append(Sheet(sheet.start_ms, sheet.slot_ms, energies, whole, none, none[:], sheet.source[:]))
    return more
