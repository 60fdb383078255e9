"""The bills of the house: drafts that follow the ledger, issued ones that never change, adjustments to those."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError
from ohmstead.plugins.billing.bill import Bill, bill_id, micro
from ohmstead.plugins.billing.biller import Biller
from ohmstead.plugins.billing.book import DRAFT, ISSUED, BillBook, Entry, Kept
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.contracts import Contracts
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.difference import adjustment, differs
from ohmstead.plugins.billing.snapshot import Snapshot, packed, unpacked

log = logging.getLogger(__name__)

SLOT_MS = 900_000  # running periods are billed up to the last quarter of an hour
CLOSED_MS = 92 * 86_400_000  # for how long the nightly job keeps drafts of ended periods up to date
SHOWN = 3  # gaps that a refusal names
_ID = re.compile(r"(?P<contract>.+)-(?P<day>\d{4}-\d{2}-\d{2})")


class Bills:
    """Bills by contract and period. `contracts`, `biller` and `book` are the parts it is made of."""

    def __init__(self, contracts: Contracts, biller: Biller, book: BillBook, clock: Clock) -> None:
        self.contracts, self.biller, self.book, self._clock = contracts, biller, book, clock

    def period(self, contract: Contract, name: str) -> Period:
        """The billing period that somebody means: `current`, `last` (the last one that has ended), 2026-03 or 2026-03-20.

        Invalid where the contract has none.
        """
        now = self._clock.now_ms()
        if name == "current":
            found = contract.period(now)
        elif name == "last":
            found = self._last(contract, now)
        else:
            whole = contract.cycle.named(name)
            inside = whole.within(contract.start_ms, contract.end_ms)
            named_day = contract.cycle.moment.on(date.fromisoformat(name)) if len(name) > 7 else None
            found = None if inside is None else contract.cut(whole, inside.start_ms if named_day is None else named_day)
        if found is None:
            raise Invalid(f"contract {contract.id!r} has no billing period {name!r}; it holds {_span(contract)}")
        return found

    def _last(self, contract: Contract, now: int) -> Period | None:
        if contract.end_ms is not None and contract.end_ms <= now:
            return contract.period(contract.end_ms - 1)
        running = contract.period(now)
        return None if running is None else contract.period(running.start_ms - 1)

    async def make(self, contract: Contract, period: Period, known_at_ms: int | None = None) -> Bill:
        """The bill of a period as things stand, or stood; of a running period up to now. Invalid before it began."""
        now = self._clock.now_ms()
        until = min(period.end_ms, now - now % SLOT_MS)
        if until <= period.start_ms:
            raise Invalid(f"the billing period from {iso(period.start_ms)} has only just begun, or not yet; nothing can be billed")
        return await self.biller.bill(contract, Period(period.start_ms, until), known_at_ms)

    async def of(self, contract: str, name: str, known_at_ms: int | None = None) -> dict[str, Any]:
        """A contract's bill for a period by its name: the issued one, or as things stand, or stood."""
        found = self.contracts.get(contract)
        return await self._of(found, self.period(found, name), known_at_ms)

    async def show(self, bill: str, known_at_ms: int | None = None) -> dict[str, Any]:
        """A bill by its id. NotFound."""
        kept = await self.book.find(bill)
        issued = kept is not None and kept.entry.status != DRAFT
        if kept is not None and issued and (known_at_ms is None or kept.entry.adjusts or kept.entry.contract_id not in self.contracts):
            return await self._kept(kept)
        contract, period = self._named(bill)
        return await self._of(contract, period, known_at_ms)

    async def _of(self, contract: Contract, period: Period, known_at_ms: int | None) -> dict[str, Any]:
        kept = await self.book.find(bill_id(contract, period)) if known_at_ms is None else None
        if kept is not None and kept.entry.status != DRAFT:
            return await self._kept(kept)
        return self._draft(await self.make(contract, period, known_at_ms), period)

    def _draft(self, bill: Bill, period: Period) -> dict[str, Any]:
        body = bill.body()
        return {
            "id": bill.id, "status": DRAFT, "running": bill.period.end_ms < period.end_ms, "period_end": iso(period.end_ms),
            "digest": digest(body), "issued": None, "issued_by": None, "adjusts": None, "adjustments": [], "changed_since": None, **body,
        }  # fmt: skip

    async def _kept(self, kept: Kept) -> dict[str, Any]:
        """An issued bill as it was issued, and what would change in it today."""
        entry, body = kept.entry, msgspec.json.decode(kept.body)
        chain = await self.book.chain(entry.adjusts or entry.id)
        return {
            "id": entry.id, "status": entry.status, "running": False, "period_end": iso(entry.end_ms), "digest": entry.digest,
            "issued": None if entry.issued_ms is None else iso(entry.issued_ms), "issued_by": entry.issued_by, "adjusts": entry.adjusts,
            "adjustments": [each.id for each in chain if each.adjusts == entry.id],
            "changed_since": None if entry.adjusts else await self._changed(chain), **body,
        }  # fmt: skip

    async def opened(self, bill: str) -> tuple[Mapping[str, Any], Snapshot]:
        """The JSON of a bill and what it is made of; of an issued one, as it was issued. NotFound; Conflict for an adjustment."""
        kept = await self.book.find(bill)
        if kept is None or kept.entry.status == DRAFT:
            made = await self.make(*self._named(bill))
            return made.body(), _snapshot(made)
        if kept.entry.adjusts is not None:
            raise Conflict(f"the lines of {bill} are what changed; open those of {kept.entry.adjusts}")
        return msgspec.json.decode(kept.body), await asyncio.to_thread(unpacked, kept.slots)

    async def _changed(self, chain: Sequence[Entry]) -> dict[str, str] | None:
        """By how much the bill would be another one today than all that was issued; None while it is the same."""
        first = chain[0]
        try:
            contract, period = self._named(first.id)
        except NotFound:  # the contract is gone, or has other periods now
            return None
        stands, now = await self._stands(chain[-1]), (await self.make(contract, period)).body()
        change = adjustment(stands, now, first.id)
        return {name: change[name] for name in ("net", "tax", "total")} if differs(stands, now) else None

    async def _stands(self, last: Entry) -> Mapping[str, Any]:
        """What the last of an issued bill and its adjustments says the whole bill is."""
        kept = await self.book.find(last.id)
        assert kept is not None
        body = msgspec.json.decode(kept.body)
        found: Mapping[str, Any] = body if last.adjusts is None else body["restated"]
        return found

    def _named(self, bill: str) -> tuple[Contract, Period]:
        """The contract and period of a bill's id. NotFound."""
        match = _ID.fullmatch(bill)
        try:
            if match is not None:
                contract = self.contracts.get(match["contract"])
                at_ms = contract.cycle.moment.on(date.fromisoformat(match["day"]))
                for at in (at_ms, contract.start_ms):
                    period = None if at is None else contract.period(at)
                    if period is not None and bill_id(contract, period) == bill:
                        return contract, period
        except (ValueError, Invalid):
            pass
        raise NotFound(f"there is no bill {bill[:100]!r}; its id is a contract and the first day of a period, such as home-2026-03-01")

    async def issue(self, bill: str, who: str, accept_missing: bool = False) -> dict[str, Any]:
        """Freeze the bill of a period that has ended. Conflict when it was issued, still runs, or has gaps that nobody accepted."""
        contract, period = self._named(bill)
        kept = await self.book.find(bill)
        if kept is not None and kept.entry.status != DRAFT:
            raise Conflict(f"bill {bill} was issued on {iso(kept.entry.issued_ms or 0)} already; issue an adjustment to it instead")
        if period.end_ms > self._clock.now_ms():
            raise Conflict(f"the billing period of {bill} runs until {iso(period.end_ms)}; it can be issued after that")
        draft = await self.make(contract, period)
        _refuse_gaps(draft, accept_missing)
        await self.book.put(await self._row(draft, draft.body(), draft.id, ISSUED, who))
        log.info("bill %s is issued by %s: %s %s", bill, who, draft.sheet.total, contract.currency)
        return await self.show(bill)

    async def adjust(self, bill: str, who: str, accept_missing: bool = False) -> dict[str, Any]:
        """Issue what changed since a bill was issued, as a bill of its own. Conflict when it was not issued, or nothing changed."""
        contract, period = self._named(bill)
        chain = await self.book.chain(bill)
        if not chain:
            raise Conflict(f"bill {bill} is not issued; a draft follows the ledger by itself")
        draft = await self.make(contract, period)
        stands, now = await self._stands(chain[-1]), draft.body()
        if not differs(stands, now):
            raise Conflict(f"nothing changed since bill {chain[-1].id} was issued")
        _refuse_gaps(draft, accept_missing)
        body = adjustment(stands, now, bill)
        row = await self._row(draft, body, f"{bill}.{len(chain)}", ISSUED, who, adjusts=bill)
        await self.book.put(row, adjusted=bill)
        log.info("bill %s is adjusted by %s: %s %s", bill, who, body["total"], contract.currency)
        return await self.show(row.entry.id)

    async def _row(
        self, bill: Bill, body: Mapping[str, Any], slug: str, status: str, who: str | None = None, adjusts: str | None = None
    ) -> Kept:
        now = self._clock.now_ms()
        slots = await asyncio.to_thread(packed, _snapshot(bill)) if status != DRAFT else b""
        text = msgspec.json.encode(body)
        entry = Entry(
            slug, bill.contract.id, bill.period.start_ms, bill.period.end_ms, status, adjusts, bill.contract.currency,
            micro(Decimal(body["total"])), hashlib.sha256(text).hexdigest(), now, now if status != DRAFT else None, who,
        )  # fmt: skip
        return Kept(entry, text.decode(), slots)

    async def issued(self, meter_points: Sequence[str], start_ms: int, end_ms: int) -> list[str]:
        """The ids of issued bills that count energy of these meter points in a half-open span."""
        contracts = sorted({contract.id for point in meter_points for contract in self.contracts.of_point(point)})
        return [entry.id for entry in await self.book.issued(contracts, start_ms, end_ms)] if contracts else []

    async def close_ended(self) -> int:
        """Keep a draft of every period that ended lately and is not issued; how many. What cannot be made is logged."""
        now, count = self._clock.now_ms(), 0
        for contract in self.contracts:
            try:
                for period in contract.between(now - CLOSED_MS, now):
                    count += await self._close(contract, period) if period.end_ms <= now else 0
            except OhmsteadError as error:
                log.warning("bills of contract %s are not closed: %s", contract.id, error)
        return count

    async def _close(self, contract: Contract, period: Period) -> bool:
        kept = await self.book.find(bill_id(contract, period))
        if kept is not None and kept.entry.status != DRAFT:
            return False
        draft = await self.make(contract, period)
        row = await self._row(draft, draft.body(), draft.id, DRAFT)
        if kept is None or kept.entry.digest != row.entry.digest:
            await self.book.put(row)
        return True


def _snapshot(bill: Bill) -> Snapshot:
    return Snapshot.of(bill.supply.sheets, (line.line for line in bill.sheet.lines))


def digest(body: Mapping[str, Any]) -> str:
    """SHA-256 of a bill's JSON, hex."""
    return hashlib.sha256(msgspec.json.encode(body)).hexdigest()


def _span(contract: Contract) -> str:
    start = "since ever" if contract.start_ms is None else f"from {iso(contract.start_ms)}"
    return start if contract.end_ms is None else f"{start} until {iso(contract.end_ms)}"


def _refuse_gaps(bill: Bill, accepted: bool) -> None:
    """Conflict while energy or prices are missing and nobody said that this is as it must be."""
    if accepted or bill.complete:
        return
    gaps = [f"no energy from {iso(start)} to {iso(end)}" for start, end in (*bill.imported.missing, *bill.exported.missing)]
    gaps += [f"{gap.component}: {gap.reason} from {iso(gap.start_ms)} to {iso(gap.end_ms)}" for gap in bill.priced.unpriced]
    more = f", and {len(gaps) - SHOWN} more" if len(gaps) > SHOWN else ""
    raise Conflict(f"bill {bill.id} has gaps: {'; '.join(gaps[:SHOWN])}{more}. Mend them, or issue it with accept_missing", gaps)
