"""The fields of a rate: those that only describe it, those that are priced, and the flat old form turned into the new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Fields that change nothing of what is charged. A field that is neither here nor priced is refused by its name.
DESCRIPTION = frozenset((
    "label", "utility", "name", "uri", "eiaid", "sector", "servicetype", "description", "source", "sourceparent", "version", "type",
    "approved", "is_default", "supercedes", "supersedes", "revisions", "latest_update", "basicinformationcomments", "energycomments",
    "demandcomments", "energyattrs", "demandattrs", "fixedattrs", "voltagecategory", "voltageminimum", "voltagemaximum", "phasewiring",
    "peakkwcapacitymin", "peakkwcapacitymax", "peakkwcapacityhistory", "peakkwhusagemin", "peakkwhusagemax", "peakkwhusagehistory",
    "startdate", "enddate", "effectivedate", "rateid", "openeiid", "utilityid",
))  # fmt: skip
_STRUCTURES = "energyratestructure|demandratestructure|flatdemandstructure|coincidentratestructure"
_FLAT = re.compile(rf"({_STRUCTURES})/period(\d{{1,2}})/(?:period|tier(\d{{1,2}})(\w+))")
_MONTH = re.compile(r"flatdemandmonth(1[0-2]|[1-9])")
_RENAMED = {"fixedmonthlycharge": ("fixedchargefirstmeter", "fixedchargeunits", "$/month"),
            "minmonthlycharge": ("mincharge", "minchargeunits", "$/month"),
            "annualmincharge": ("mincharge", "minchargeunits", "$/year")}  # fmt: skip


def is_old(item: Mapping[str, Any]) -> bool:
    """Whether it is of the flat form, in which periods are counted from 1."""
    return any(_FLAT.fullmatch(key) or _MONTH.fullmatch(key) or key == "fixedmonthlycharge" for key in item) or isinstance(
        item.get("energyweekdayschedule"), str
    )


def renewed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An old item in the new form; a new one as it is. Schedules stay as they are written."""
    found: dict[str, Any] = {}
    structures: dict[str, dict[int, dict[int, dict[str, Any]]]] = {}
    for key, value in item.items():
        match = _FLAT.fullmatch(key)
        if match is not None:
            tiers = structures.setdefault(match[1], {}).setdefault(int(match[2]), {})
            if match[3] is not None:
                tiers.setdefault(int(match[3]), {})[match[4]] = value
        elif month := _MONTH.fullmatch(key):
            found.setdefault("flatdemandmonths", [0] * 12)[int(month[1]) - 1] = max(int(value) - 1, 0)
        elif key in _RENAMED and not nothing(value):
            amount, units, unit = _RENAMED[key]
            found |= {amount: value, units: unit}
        elif key not in _RENAMED:
            found.setdefault(key, value)
    for name, periods in structures.items():
        found[name] = [[tier for _, tier in sorted(periods.get(number, {}).items())] for number in range(1, max(periods) + 1)]
    return found


def nothing(value: Any) -> bool:
    """Whether a value charges nothing: empty, false, zero, or a list of such."""
    if isinstance(value, str):
        return value.strip().lower() in ("", "false", "no", "0", "n/a", "none")
    if isinstance(value, list):
        return all(nothing(each) for each in value)
    if isinstance(value, dict):
        return all(nothing(each) for each in value.values())
    return not value
