"""Price feeds: what a kWh costs on a market or with a supplier, asked for day by day. Each is a series named like its device."""

from __future__ import annotations

from ohmstead.core.plugin import Integration, hookimpl
from ohmstead.integrations.price_feeds.awattar import AWATTAR
from ohmstead.integrations.price_feeds.energy_charts import ENERGY_CHARTS
from ohmstead.integrations.price_feeds.entsoe import ENTSOE
from ohmstead.integrations.price_feeds.nord_pool import NORD_POOL
from ohmstead.integrations.price_feeds.octopus import OCTOPUS
from ohmstead.integrations.price_feeds.tibber import TIBBER


@hookimpl
def ohmstead_integrations() -> list[Integration]:
    return [AWATTAR, ENERGY_CHARTS, NORD_POOL, OCTOPUS, TIBBER, ENTSOE]
