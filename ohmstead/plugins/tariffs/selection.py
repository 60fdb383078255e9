"""Which energy a component is about: import or export, before or after netting, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.tariffs.schedule import Schedule
from ohmstead.plugins.tariffs.windows import WHEN, when, window

IMPORT, EXPORT = "import", "export"

KEYS: dict[Any, Any] = {
    vol.Optional("direction", default=IMPORT, description="import, or export: then it is a credit"): validate.one_of(IMPORT, EXPORT),
    vol.Optional("gross", default=False, description="true: the energy before netting"): validate.boolean,
}
DATED: dict[Any, Any] = {**KEYS, WHEN: when}


class Selection(msgspec.Struct, frozen=True):
    """A register and a schedule. `meter` is import, export, gross_import, gross_export or a tariff register."""

    meter: str
    schedule: Schedule
    direction: str = IMPORT

    @property
    def sign(self) -> int:
        """-1 for what is credited."""
        return -1 if self.direction == EXPORT else 1


def compiled(options: Mapping[str, Any], holidays: frozenset[date], schedule: Schedule | None = None) -> Selection:
    """What checked options select, by a schedule of the component's own if it has one."""
    direction = options["direction"]
    windows = tuple(window(each) for each in options.get("when", ()))
    return Selection(
        f"gross_{direction}" if options["gross"] else direction,
        schedule or Schedule(windows, (0,) * len(windows), holidays),
        direction,
    )
