"""What other rooms say on the bus, as entries of the audit log, which knows none of those rooms."""

from __future__ import annotations

from ohmstead.core.clock import iso
from ohmstead.plugins.audit.entry import Entry
from ohmstead.plugins.audit.heard import Told
from ohmstead.plugins.ledger.events import CorrectionApplied, CorrectionUndone, FindingClosed, FindingOpened


def _correction(kind: str, event: CorrectionApplied | CorrectionUndone) -> Entry:
    data = {"kind": event.kind, "place": event.place, "start": iso(event.start_ms), "end": iso(event.end_ms), "reason": event.reason}
    return Entry(f"correction.{kind}", str(event.number), event.place.partition(".")[0] if "." in event.place else None, event.author, data)


def _found(event: FindingOpened) -> Entry:
    data = {"cause": event.cause, "meter_point": event.meter_point, "start": iso(event.start_ms), "end": iso(event.end_ms),
            "text": event.text}  # fmt: skip
    return Entry("finding.opened", str(event.number), data=data)


LEDGER: Told = {
    CorrectionApplied: lambda event: _correction("applied", event),
    CorrectionUndone: lambda event: _correction("undone", event),
    FindingOpened: _found,
    FindingClosed: lambda event: Entry(
        "finding.closed", str(event.number), who=event.by, data={"cause": event.cause, "meter_point": event.meter_point, "how": event.how}
    ),
}
