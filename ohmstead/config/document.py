"""A configuration as it was read: plain data, and beside it where each value stands and which nobody may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ohmstead.config.problem import HIDDEN, Keys, Place, Problem

SHORT = 4  # characters of a secret from which on it is blanked wherever it turns up


class Document(msgspec.Struct):
    """`data` holds mappings, lists, texts, numbers, booleans and None. `files` are those it was read from."""

    file: str
    data: Any = msgspec.field(default_factory=dict)
    places: dict[Keys, Place] = msgspec.field(default_factory=dict)
    hidden: dict[Keys, str] = msgspec.field(default_factory=dict)  # what came from !secret and !env
    problems: list[Problem] = msgspec.field(default_factory=list)
    broken: set[Keys] = msgspec.field(default_factory=set)  # values that a problem stands for already
    files: list[str] = msgspec.field(default_factory=list)

    def place(self, keys: Keys) -> Place:
        """Where the value stands, or the nearest thing around it."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return self.places.get(keys) or Place(self.file)

    def unread(self, keys: Keys, place: Place, text: str) -> None:
        """Note a value that could not be read, so that nothing more is said of it."""
        self.problems.append(Problem(place, keys, text))
        self.broken.add(keys)

    def wrong(self, keys: Keys, text: str, place: Place | None = None) -> None:
        """Note a mistake, once, unless something around or within it could not even be read."""
        if any(keys[: len(known)] == known or known[: len(keys)] == keys for known in self.broken):
            return
        problem = Problem(place or self.place(keys), keys, self.blanked(keys, text))
        if problem not in self.problems:
            self.problems.append(problem)

    def blanked(self, keys: Keys, text: str) -> str:
        """`text` without the secrets in it."""
        for where, value in self.hidden.items():
            if value and (len(value) >= SHORT or where[: len(keys)] == keys):
                text = text.replace(value, HIDDEN)
        return text

    @property
    def secrets(self) -> frozenset[str]:
        """The values nobody may see, long enough to be recognised."""
        return frozenset(value for value in self.hidden.values() if len(value) >= SHORT)

    def put(self, keys: tuple[str, ...], value: str, place: Place, secret: bool = False) -> None:
        """Lay a value over what the file says; what is in the way and no mapping is left for the check to name."""
        inner = self.data
        for key in keys[:-1]:
            if inner.get(key) is None:
                inner[key] = {}
            inner = inner[key]
            if not isinstance(inner, dict):
                return
        inner[keys[-1]] = value
        self.places[keys] = place
        if secret:
            self.hidden[keys] = value

    def section(self, key: str) -> Mapping[str, Any]:
        """A part of it, or nothing where there is no such part or it is no mapping."""
        found = self.data.get(key) if isinstance(self.data, dict) else None
        return found if isinstance(found, dict) else {}
