"""What other rooms say on the bus or do in a transaction, as entries of the audit log, which knows none of those rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso
from ohmstead.plugins.audit.entry import Entry
from ohmstead.plugins.audit.heard import Told
from ohmstead.plugins.ledger.events import CorrectionApplied, CorrectionUndone, FindingClosed, FindingOpened
from ohmstead.plugins.rules import events as rules

if TYPE_CHECKING:
    from ohmstead.plugins.audit.audit import Audit
    from ohmstead.plugins.billing.book import Entry as Bill


def _correction(kind: str, event: CorrectionApplied | CorrectionUndone) -> Entry:
    data = {"kind": event.kind, "place": event.place, "start": iso(event.start_ms), "end": iso(event.end_ms), "reason": event.reason}
    return Entry(f"correction.{kind}", str(event.number), event.place.partition(".")[0] if "." in event.place else None, event.author, data)


def _found(event: FindingOpened) -> Entry:
    data = {"cause": event.cause, "meter_point": event.meter_point, "start": iso(event.start_ms), "end": iso(event.end_ms),
            "text": event.text}  # fmt: skip
    return Entry("finding.opened", str(event.number), data=data)


def _alert(kind: str) -> Callable[[rules.AlertStep], Entry]:
    def entry(event: rules.AlertStep) -> Entry:
        data = {"rule": event.rule, "subject": event.subject, "severity": event.severity, "title": event.title, "text": event.text}
        return Entry(f"alert.{kind}", str(event.alert), event.device, event.who, data)

    return entry


async def bill_issued(audit: Audit, tx: Any, bill: Bill) -> None:
    """A bill and its entry are kept together or not at all."""
    data = {"contract": bill.contract_id, "start": iso(bill.start_ms), "end": iso(bill.end_ms), "adjusts": bill.adjusts,
            "total_micro": bill.total_micro, "currency": bill.currency, "digest": bill.digest}  # fmt: skip
    await audit.enter(tx, Entry("bill.issued", bill.id, who=bill.issued_by, data=data))


CORRECTIONS: Told = {  # these and the alerts are told in the transactions that make them
    CorrectionApplied: lambda event: _correction("applied", event),
    CorrectionUndone: lambda event: _correction("undone", event),
}

FINDINGS: Told = {
    FindingOpened: _found,
    FindingClosed: lambda event: Entry(
        "finding.closed", str(event.number), who=event.by, data={"cause": event.cause, "meter_point": event.meter_point, "how": event.how}
    ),
}

ALERTS: Told = {
    rules.AlertTriggered: _alert("triggered"),
    rules.AlertAcknowledged: _alert("acknowledged"),
    rules.AlertResolved: _alert("resolved"),
    rules.AlertSuppressed: _alert("suppressed"),
    rules.AlertSnoozed: _alert("snoozed"),
    rules.AlertEscalated: _alert("escalated"),
    rules.AlertAssigned: _alert("assigned"),
}
