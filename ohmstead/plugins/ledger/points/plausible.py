"""The greatest mean power that is believed unless a binding states it."""

from __future__ import annotations

from ohmstead.plugins.ledger.points.bindings import MILLIONTHS
from ohmstead.plugins.ledger.points.points import VOLUMES, Role

TIMES = {"building": 10, "facility": 100}  # what is believed at a home or an apartment
HOME_KW, HOME_M3_PER_H = 50, 10


def plausible_per_h(kind: str, role: Role) -> int:
    """In mWh per hour (mL per hour for gas and water), at premises of that kind.

    50 kW at a home or apartment, 500 kW in a building, 5 MW in a facility; gas and water 10 m³/h, 100 m³/h, 1,000 m³/h.
    """
    return MILLIONTHS * TIMES.get(kind, 1) * (HOME_M3_PER_H if role in VOLUMES else HOME_KW)
