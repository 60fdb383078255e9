"""OpenEI's Utility Rate Database: a rate of a US utility as JSON, into a tariff. What we cannot price is refused by its name.

Source: openei.org/services/doc/rest/util_rates, versions 3 to 8, and the flat form of versions 1 and 2.
"""

from __future__ import annotations

from ohmstead.integrations.urdb.rate import tariff

__all__ = ["tariff"]
