"""Where something stands in the configuration, and what is wrong with it, as one line for people."""

from __future__ import annotations

import msgspec

Keys = tuple[str | int, ...]  # the way from the top of the YAML to a value: keys of mappings, numbers of list items
HIDDEN = "•••"


class Place(msgspec.Struct, frozen=True, order=True):
    """A line of a file, or (line 0) something that has no lines, such as a variable of the environment."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Problem(msgspec.Struct, frozen=True):
    """One mistake: where it stands, the way there, and what is wrong and what would be right."""

    place: Place
    keys: Keys
    text: str

    def __str__(self) -> str:
        way = arrows(self.keys)
        return f"{self.place}  {way}: {self.text}" if way else f"{self.place}  {self.text}"


def arrows(keys: Keys) -> str:
    """The way as people read it: `integrations → heatpump → every`; items of lists are counted from 1.

    >>> arrows(("devices", "D1", "tags", 0))
    'devices → D1 → tags → item 1'
    """
    return " → ".join(f"item {key + 1}" if isinstance(key, int) else key for key in keys)
