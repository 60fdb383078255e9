"""All tariffs of the house: those of the YAML, and those made over the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core.errors import ConfigError, Conflict, NotFound
from ohmstead.core.plugin import TariffKind
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.tariffs.schema import Schema
from ohmstead.plugins.tariffs.tariff import Tariff

YAML, API = "yaml", "api"


class Tariffs:
    """In memory, by id. The kinds of components are known before any tariff is."""

    def __init__(self) -> None:
        self._tariffs: dict[str, Tariff] = {}
        self.kinds: dict[str, TariffKind] = {}
        self.rules = Schema(self.kinds)

    def add_kind(self, kind: TariffKind) -> None:
        """Take a kind of component. ConfigError when there is one of its name."""
        if self.kinds.setdefault(kind.type, kind) is not kind:
            raise ConfigError(f"its kind of tariff component {kind.type!r} is declared already")

    @property
    def schema(self) -> Any:
        """What a tariff may state, as a voluptuous schema."""
        return self.rules.tariff()

    def get(self, id_: str) -> Tariff:
        """One tariff; NotFound."""
        found = self._tariffs.get(id_)
        if found is None:
            raise NotFound(f"there is no tariff {id_[:64]!r}.{did_you_mean(id_, self._tariffs)}")
        return found

    def __contains__(self, id_: object) -> bool:
        return id_ in self._tariffs

    def __iter__(self) -> Iterator[Tariff]:
        return iter([self._tariffs[id_] for id_ in sorted(self._tariffs)])

    def compiled(self, id_: str, options: Mapping[str, Any], origin: str = API) -> Tariff:
        """The tariff of checked options, not yet in force."""
        return self.rules.compiled(id_, options, origin)

    def check(self, options: Any) -> dict[str, Any]:
        """Options as somebody wrote them, checked; voluptuous.MultipleInvalid."""
        checked: dict[str, Any] = vol.Schema(self.schema)(options)
        return checked

    def put(self, tariff: Tariff) -> None:
        """Put a tariff of the API in force. Conflict when the YAML defines one of its id."""
        known = self._tariffs.get(tariff.id)
        if known is not None and known.origin == YAML:
            raise Conflict(f"tariff {tariff.id} is defined in the configuration; change it there, or choose another id")
        self._tariffs[tariff.id] = tariff

    def remove(self, id_: str) -> None:
        """Forget a tariff of the API. NotFound; Conflict when the YAML defines it."""
        if self.get(id_).origin == YAML:
            raise Conflict(f"tariff {id_} is defined in the configuration; remove it there")
        del self._tariffs[id_]

    def problems(self, sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str], str]]:
        """What of the YAML clashes with what the API made."""
        for id_ in sections["tariffs"] or {}:
            if id_ in self._tariffs and self._tariffs[id_].origin != YAML:
                yield (id_,), "a tariff of this id was made over the API; delete it there, or choose another id"

    async def apply(self, section: Mapping[str, Any] | None) -> None:
        """Put what the YAML defines in force."""
        fresh = {id_: self.compiled(id_, options, YAML) for id_, options in (section or {}).items()}
        self._tariffs = {id_: tariff for id_, tariff in self._tariffs.items() if tariff.origin != YAML} | fresh
