"""What people declare to the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.core.plugin import Section, Tables, hookimpl
from ohmstead.plugins.people.people import People
from ohmstead.plugins.people.schema import SECTION
from ohmstead.plugins.people.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub


class PeoplePlugin:
    """The people, as a plugin like anyone's."""

    def __init__(self, people: People) -> None:
        self._people = people

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """What people chose."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`people:`."""
        return [Section("people", SECTION, self._people.apply, "who is told, where and when", default={})]
