"""What plugins bring to the house: taken in, handed their parts of the YAML, and turned away where two bring the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from ohmstead.config.check import Known
from ohmstead.config.sections import SECTIONS
from ohmstead.core.errors import ConfigError
from ohmstead.core.hub import Hub
from ohmstead.core.loader import Plugin
from ohmstead.core.plugin import Importer, Integration, RuleKind, Section, Tables, TariffKind
from ohmstead.plugins.rules.automations.foreign import elsewhere
from ohmstead.web.dispatch import Operation

HAND_S = 10.0  # how long a foreign plugin may take over its part of the YAML


class Contributions:
    """Of all plugins of a hub. A mistake of ours is a ConfigError; with one of its own a foreign plugin is quarantined."""

    def __init__(self, hub: Hub, add_tariff: Callable[[TariffKind], None], add_rule: Callable[[RuleKind], None]) -> None:
        self._hub, self._add_tariff, self._add_rule = hub, add_tariff, add_rule
        self._foreign: dict[str, Plugin] = {}  # section -> the plugin that it is of, unless that ships with us

    def discover(self) -> Known:
        """Load the plugins that do not ship with Ohmstead; what the configuration may speak of with all of them."""
        plugins = self._hub.plugins
        plugins.discover(self._hub.config_dir / "plugins")
        self.importers()  # a plugin whose hook raises is quarantined now, and what it declares can be listed
        for plugin, quantity in plugins.collect("ohmstead_quantities"):
            self._take(plugin, self._hub.quantities.add, quantity)
        for plugin, tariff in plugins.collect("ohmstead_tariffs"):
            self._take(plugin, self._add_tariff, tariff)
        for plugin, rule in plugins.collect("ohmstead_rules"):
            self._take(plugin, self._add_rule if plugin.shipped else self._add_foreign_rule, rule)
        return Known(self._sections(), self._integrations())

    def _sections(self) -> dict[str, Section]:
        sections: dict[str, Section] = {section.key: section for section in SECTIONS}
        for plugin, section in self._hub.plugins.collect("ohmstead_sections", hub=self._hub):
            if sections.setdefault(section.key, section) is not section:
                self._turn_away(plugin, f"its section {section.key!r} is declared already")
            elif not plugin.shipped:
                self._foreign[section.key] = plugin
        return sections

    def _integrations(self) -> dict[str, tuple[Integration, str | None]]:
        integrations: dict[str, tuple[Integration, str | None]] = {}
        for plugin, integration in self._hub.plugins.collect("ohmstead_integrations"):
            entry = (integration, None if plugin.shipped else plugin.name)
            if integrations.setdefault(integration.type, entry) is not entry:
                self._turn_away(plugin, f"its integration {integration.type!r} is declared already")
        return integrations

    def _add_foreign_rule(self, kind: RuleKind) -> None:
        self._add_rule(elsewhere(kind, self._hub.second))

    def _take(self, plugin: Plugin, take: Callable[[Any], None], thing: Any) -> None:
        try:
            take(thing)
        except ConfigError as error:
            self._turn_away(plugin, str(error))

    def _turn_away(self, plugin: Plugin, reason: str) -> None:
        if plugin.shipped:
            raise ConfigError(f"plugin {plugin.name}: {reason}")
        self._hub.plugins.quarantine(plugin, reason)

    def problems(self, sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        """What the plugins that ship with us find wrong with sections that are right each by itself."""
        for plugin, section in self._hub.plugins.collect("ohmstead_sections", hub=self._hub):
            if plugin.shipped and section.problems is not None:
                yield from (((section.key, *keys), text) for keys, text in section.problems(sections))

    async def hand(self, section: Section, value: Any) -> None:
        """Give a plugin its part of the YAML, if it asked for it; a foreign one that raises or hangs is quarantined."""
        apply, plugin = section.apply, self._foreign.get(section.key)
        if apply is None:
            return
        if plugin is None:
            await apply(value)
        elif plugin.quarantined is None:
            await self._hand_over(plugin, section.key, lambda: apply(value))

    async def _hand_over(self, plugin: Plugin, key: str, apply: Callable[[], Awaitable[None]]) -> None:
        async def there() -> None:
            await apply()

        taking = asyncio.ensure_future(self._hub.second.call(there, HAND_S))
        await asyncio.wait({taking})
        error = taking.exception()
        if error is not None:
            self._hub.plugins.quarantine(plugin, f"its section {key!r}: {type(error).__name__}: {error}", error)

    def turn_away_clashes(self, taken: Iterable[tuple[str, str]]) -> None:
        """Quarantine plugins whose routes are there already; `taken` are methods and shapes of paths."""
        seen = set(taken)
        for plugin, route in self._hub.plugins.collect("ohmstead_routes", hub=self._hub):
            shape = Operation(route).shape
            if shape in seen:
                self._turn_away(plugin, f"its route {route.method} {route.path} is there already")
            seen.add(shape)

    def tables(self) -> list[Tables]:
        """The tables of all plugins."""
        return [tables for _, tables in self._hub.plugins.collect("ohmstead_tables")]

    def importers(self) -> list[Importer]:
        """The readers of files of all plugins."""
        return [importer for _, importer in self._hub.plugins.collect("ohmstead_importers")]
