"""What backtests declare to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.rules.backtest.backtest import Backtest
from ohmstead.plugins.rules.backtest.routes import BacktestRoutes

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub
    from ohmstead.plugins.devices.registry import Devices


class BacktestPlugin:
    """Backtests as a plugin like anyone's."""

    def __init__(self, backtest: Backtest, devices: Devices) -> None:
        self._backtest, self._devices = backtest, devices

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/backtests`."""
        return BacktestRoutes(self._backtest, self._devices.locations, hub.clock).all()
