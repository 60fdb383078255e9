"""How well a device does, as a score from 0 to 100: what is known of it in, the score and its reasons out.

Uptime counts 40 %, data quality 30 %, errors 20 %, response 10 %. What cannot be known is left out, and the rest counts
in proportion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

import msgspec

from ohmstead.core.model import DeviceStatus

WEIGHTS = {"uptime": 40, "data_quality": 30, "errors": 20, "response": 10}
RESPONSES = ((1_000, 1.0), (2_000, 0.8), (5_000, 0.5))  # up to so many ms: worth so much
SLOWEST = 0.2
SPAN_MS = 300_000  # readings are counted by five minutes
FEWEST = 3  # spans with readings from which it can be told how often they come
UP = (DeviceStatus.ONLINE.value, DeviceStatus.ERROR.value)
COUNTED = (*UP, DeviceStatus.OFFLINE.value)  # maintenance is nobody's fault


class Part(msgspec.Struct, frozen=True):
    """One part of the score: from 0 to 1, or None where it cannot be known, and why it is so."""

    name: str
    value: float | None
    why: str


def score(parts: Sequence[Part]) -> dict[str, Any]:
    """The score with one decimal, None when nothing is known; its parts with the points they bring, and what was left out."""
    known = [part for part in parts if part.value is not None]
    total = sum(WEIGHTS[part.name] for part in known)
    shown = [{"name": part.name, "weight": round(100 * WEIGHTS[part.name] / total, 1), "value": round(part.value or 0.0, 4),
              "points": round(100 * WEIGHTS[part.name] * (part.value or 0.0) / total, 1), "why": part.why} for part in known]  # fmt: skip
    found = None if not known else round(100 * sum(WEIGHTS[part.name] * (part.value or 0.0) for part in known) / total, 1)
    left_out = [{"name": part.name, "why": part.why} for part in parts if part.value is None]
    return {"score": found, "parts": shown, "left_out": left_out}


def uptime(changes: Iterable[Mapping[str, Any]], start_ms: int, end_ms: int) -> Part:
    """Of lines of the status history, newest first: the share of the time it was online or in error, of that it was these or offline."""
    up = known = 0
    until_ms = end_ms
    for change in changes:
        since_ms = max(change["at_ms"], start_ms)
        if since_ms < until_ms:
            known += until_ms - since_ms if change["status"] in COUNTED else 0
            up += until_ms - since_ms if change["status"] in UP else 0
            until_ms = since_ms
        if change["at_ms"] <= start_ms:
            break
    if not known:
        return Part("uptime", None, "nothing was heard of it and nobody waited for it")
    return Part("uptime", up / known, f"it was there for {_hours(up)} of the {_hours(known)} that its status is known for")


def presence(counts: Mapping[int, int], spans: int) -> float | None:
    """The share of the readings of a series that came, of those that should have; None where nobody can tell how many.

    `counts` are readings by the number of their five-minute span, of `spans` in all; spans without one are not there. The
    expected number is what a good span with readings holds (a quarter of them holds more), at the usual distance of two of them.
    """
    filled = sorted(counts)
    if len(filled) < FEWEST:
        return None
    apart = median(after - before for before, after in pairwise(filled))
    usual = quantiles(counts.values(), n=4, method="inclusive")[2]
    expected = usual * max(1.0, spans / apart)
    return min(1.0, sum(min(count, usual) for count in counts.values()) / expected)


def data_quality(series: Mapping[str, float | None], silent: Sequence[str]) -> Part:
    """Of the presence of each quantity, and of quantities that fell silent: their mean."""
    shares = {name: share for name, share in series.items() if share is not None} | dict.fromkeys(silent, 0.0)
    if not shares:
        return Part("data_quality", None, "too few readings to tell how often they should come")
    worst = min(shares, key=lambda name: shares[name])
    mean = sum(shares.values()) / len(shares)
    more = f"; the worst is {worst} with {shares[worst]:.1%}" if len(shares) > 1 else ""
    return Part("data_quality", mean, f"{mean:.1%} of the readings that should have come are there{more}")


def errors(taken: int, refused: int) -> Part:
    """Of what came from it: the share that was not refused."""
    if not taken + refused:
        return Part("errors", None, "nothing came from it")
    return Part("errors", taken / (taken + refused), f"{refused} messages were refused beside {taken} readings that were taken")


def response(took_ms: Sequence[int | None]) -> Part:
    """Of its commands, how long each took to be reported done, None for those that never were: the mean of what each is worth."""
    if not took_ms:
        return Part("response", None, "it was told to do nothing, so nobody knows how fast it answers")
    worth = [SLOWEST if took is None else next((value for most, value in RESPONSES if took <= most), SLOWEST) for took in took_ms]
    done = [took for took in took_ms if took is not None]
    middle = f", in the middle after {median(done) / 1000:.1f} s" if done else ""
    return Part("response", sum(worth) / len(worth), f"{len(done)} of {len(took_ms)} commands were reported done{middle}")


def _hours(ms: int) -> str:
    return f"{ms / 3_600_000:.1f} h"
