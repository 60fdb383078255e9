"""What changed between two bills of one period, as lines that together are exactly the difference of their totals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Body = Mapping[str, Any]  # of a bill, see bill.py

_AMOUNTS = ("quantity", "exact", "net", "vat", "gross", "printed")
_SAME = ("currency", "contract", "name", "supplier", "location", "time_zone")


def adjustment(before: Body, after: Body, adjusts: str) -> dict[str, Any]:
    """The body of a bill that turns `before` into `after`. Its lines are empty where nothing changed."""
    return {
        **{name: after[name] for name in _SAME},
        "tariff": after["tariff"], "start": after["start"], "end": after["end"], "adjusts": adjusts, "known_at": after["known_at"],
        "lines": [{"line": number, **line} for number, line in enumerate(_lines(before, after), 1)],
        "vat": _vat(before, after),
        **{name: _less(after[name], before[name]) for name in ("net", "tax", "total")},
        "restated": dict(after),
    }  # fmt: skip


def differs(before: Body, after: Body) -> bool:
    """Whether anything that is printed changed."""
    return bool(_lines(before, after)) or any(before[name] != after[name] for name in ("net", "tax", "total"))


def _lines(before: Body, after: Body) -> list[dict[str, Any]]:
    old = {_key(line): line for line in before["lines"]}
    new = {_key(line): line for line in after["lines"]}
    found = (_line(old.get(key), new.get(key)) for key in [*new, *(key for key in old if key not in new)])
    return [line for line in found if line is not None]


def _key(line: Mapping[str, Any]) -> tuple[str, str]:
    return line["key"], line["direction"] or ""


def _line(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """One line of the difference; None where both print the same."""
    if old is not None and new is not None and all(old[name] == new[name] for name in _AMOUNTS):
        return None
    like = new if new is not None else old
    assert like is not None
    amounts = {name: _amount(name, old, new) for name in _AMOUNTS}
    slots = (0 if new is None else new["slots"]) - (0 if old is None else old["slots"])
    return {**{name: value for name, value in like.items() if name != "line"}, **amounts, "slots": slots}


def _amount(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str | None:
    values = [line[name] for line in (old, new) if line is not None]
    if any(value is None for value in values):
        return None
    return _less(new[name] if new is not None else "0", old[name] if old is not None else "0")


def _vat(before: Body, after: Body) -> list[dict[str, Any]]:
    old, new = ({(row["percent"], row["added"]): row for row in body["vat"]} for body in (before, after))
    rows = []
    for key in [*new, *(key for key in old if key not in new)]:
        was, now = old.get(key, _NOTHING), new.get(key, _NOTHING)
        row = {name: _less(now[name], was[name]) for name in ("base", "amount")}
        if any(Decimal(value) for value in row.values()):
            rows.append({"percent": key[0], **row, "added": key[1]})
    return rows


_NOTHING = {"base": "0", "amount": "0"}


def _less(after: str, before: str) -> str:
    """The difference of two decimal strings, with the decimals of the longer one."""
    return f"{Decimal(after) - Decimal(before):f}"
