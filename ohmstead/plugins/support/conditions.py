"""What counts as trouble, as a table."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ohmstead.plugins.support.facts import Facts, Traffic

ERRORS, ERRORS_S, FEWEST_ERRORS = 0.01, 300.0, 5
SLOW_S, SLOW_FOR_S, FEWEST_REQUESTS = 2.0, 600.0, 20
SIGN_INS, SIGN_INS_S = 10, 600.0
LONGEST_S = 600.0  # how far back a condition looks


class Window(msgspec.Struct, frozen=True):
    """The newest look, and what happened within the spans before it: of the errors, of the durations, of the sign-ins.

    `complete` says for each whether the hub watched for that long.
    """

    now: Facts
    errors: Traffic
    slow: Traffic
    sign_ins: int
    errors_complete: bool = True
    slow_complete: bool = True


class Condition(msgspec.Struct, frozen=True):
    """One kind of trouble. `look` says what is wrong, None when nothing is; it must say so for `for_s` seconds."""

    key: str
    severity: str
    title: str
    look: Callable[[Window], str | None]
    for_s: float = 0.0


def _errors(window: Window) -> str | None:
    traffic = window.errors
    if not window.errors_complete or traffic.errors < FEWEST_ERRORS or traffic.errors <= ERRORS * traffic.requests:
        return None
    return f"{traffic.errors} of {traffic.requests} requests of the last 5 minutes failed ({traffic.errors / traffic.requests:.1%})"


def _slow(window: Window) -> str | None:
    traffic = window.slow
    if not window.slow_complete or traffic.requests < FEWEST_REQUESTS or traffic.p95_s <= SLOW_S:
        return None
    return f"5 % of the requests of the last 10 minutes took about {traffic.p95_s:.1f} s or longer"


def _sign_ins(window: Window) -> str | None:
    if window.sign_ins < SIGN_INS:
        return None
    return f"{window.sign_ins} failed sign-ins within 10 minutes; see ohmstead audit --type 'auth.*'"


def _share(name: str, text: str, limit: float) -> Callable[[Window], str | None]:
    def look(window: Window) -> str | None:
        share: float | None = getattr(window.now, name)
        return text.format(share) if share is not None and share > limit else None

    return look


CONDITIONS = (
    Condition("database", "critical", "The database is away", lambda window: window.now.database, for_s=15),
    Condition("broker", "high", "The MQTT broker is away", lambda window: window.now.broker, for_s=60),
    Condition("errors", "high", "Many requests fail", _errors),
    Condition("slow", "medium", "The API is slow", _slow),
    Condition("backlog", "high", "Readings wait to be stored",
              lambda window: f"{window.now.backlog} readings wait" if window.now.backlog > 10_000 else None, for_s=15),
    Condition("cpu", "medium", "The processor is busy", _share("cpu", "{:.0%} of the processor are in use", 0.8), for_s=900),
    Condition("ram", "high", "Memory runs out", _share("ram", "{:.0%} of the memory are in use", 0.85), for_s=900),
    Condition("disk", "critical", "The disk is nearly full", _share("disk", "{:.0%} of the disk with the data are in use", 0.9)),
    Condition("jobs", "medium", "A job fails",
              lambda window: f"failed: {', '.join(window.now.jobs)}; see ohmstead jobs" if window.now.jobs else None),
    Condition("sign_ins", "high", "Somebody tries to sign in", _sign_ins),
)  # fmt: skip
