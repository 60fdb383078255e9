"""Reads the configuration: YAML with !secret, !env and !include, every value with the file and line it stands on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ohmstead.config.document import Document
from ohmstead.config.problem import Keys, Place, Problem
from ohmstead.config.syntax import Malformed, compose, scalar
from ohmstead.core.validate import did_you_mean

CONFIGURATION, SECRETS = "configuration.yaml", "secrets.yaml"
MAX_NODES = 100_000  # with every alias and include expanded
MAX_INCLUDES = 10  # one inside the other
STANDARD = "tag:yaml.org,2002:"
KNOWN = frozenset(STANDARD + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "value", "merge"))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TooMuch(Exception):
    """Aliases or includes that blow the configuration up."""


def read(folder: Path, environment: Mapping[str, str] | None = None, name: str = CONFIGURATION) -> Document:
    """The configuration in `folder`; what cannot be read is in its `problems`. OSError when there is no such file."""
    return Reader(folder, os.environ if environment is None else environment).read(name)


def read_file(path: Path) -> Document:
    """One YAML file by itself, without secrets, environment or includes that leave its folder."""
    return Reader(path.parent, {}).read(path.name)


class Reader:
    """Builds one Document."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder.resolve()
        self._environment = environment
        self._secrets: dict[str, str] | None = None
        self._nodes = 0
        self._open: list[Path] = []  # the file being read and those that include it
        self._document = Document("")

    def read(self, name: str) -> Document:
        """Read `name` and what it includes. OSError when it is not there."""
        self._document = Document(name)
        raw = (self._folder / name).read_bytes()
        try:
            self._document.data = self._file(self._folder / name, raw, ())
        except TooMuch as error:
            self._document.data = {}
            self._document.unread((), self._document.place(()), str(error))
        if self._document.data is None:
            self._document.data = {}
        elif not isinstance(self._document.data, dict):
            self._document.unread((), Place(name, 1), "expected sections such as home: and devices:, each with its own lines below it")
            self._document.data = {}
        return self._document

    def _file(self, path: Path, raw: bytes, keys: Keys) -> Any:
        shown = self._shown(path)
        self._document.files.append(shown)
        self._open.append(path)
        try:
            node = compose(raw)
            return None if node is None else self._value(node, keys, shown)
        except Malformed as error:
            self._document.unread(keys, Place(shown, error.line), str(error))
            return None
        finally:
            self._open.pop()

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path.is_relative_to(self._folder) else path.name

    def _value(self, node: Any, keys: Keys, file: str) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(keys) > 100:
            raise TooMuch(f"aliases and includes make this more than {MAX_NODES} values; write less of the same again")
        place = _at(file, node)
        self._document.places.setdefault(keys, place)
        if node.tag in ("!secret", "!env", "!include"):
            return self._tagged(node, keys, place)
        if node.tag not in KNOWN:
            self._document.unread(keys, place, f"unknown tag {node.tag.replace(STANDARD, '!!')}; there are !secret, !env and !include")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys, file)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*keys, index), file) for index, item in enumerate(node.value)]
        return scalar(node.value, plain=node.style in (None, ""))

    def _mapping(self, node: yaml.MappingNode, keys: Keys, file: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _at(file, key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.unread(keys, place, "a list or mapping cannot be a key")
                continue
            key = str(key_node.value)
            inner = (*keys, key)
            if key in found:
                first = self._document.place(inner)
                self._document.wrong(inner, f"stands here a second time, first in {first}; remove one of them", place)
                continue
            self._document.places[inner] = place
            found[key] = self._value(value_node, inner, file)
        return found

    def _tagged(self, node: yaml.Node, keys: Keys, place: Place) -> Any:
        words = str(node.value).split(None, 1) if isinstance(node, yaml.ScalarNode) else []
        if not words:
            what = "file" if node.tag == "!include" else "name"
            self._document.unread(keys, place, f"{node.tag} needs a {what} behind it, without quotes around both")
            return None
        if node.tag == "!include":
            return self._include(str(node.value).strip(), keys, place)
        if node.tag == "!env":
            return self._from_environment(words, keys, place)
        return self._secret(str(node.value).strip(), keys, place)

    def _from_environment(self, words: list[str], keys: Keys, place: Place) -> str | None:
        name = words[0]
        if not _NAME.fullmatch(name):
            self._document.unread(keys, place, f"{name!r} is no name of a variable of the environment")
            return None
        value = self._environment.get(name, words[1] if len(words) > 1 else None)
        if value is None:
            self._document.unread(keys, place, f"the environment has no variable {name}; set it, or give a default: !env {name} default")
        elif name in self._environment:
            self._document.hidden[keys] = value
        return value

    def _secret(self, name: str, keys: Keys, place: Place) -> str | None:
        if self._secrets is None:
            self._secrets = dict(self._read_secrets())
        if name not in self._secrets:
            hint = did_you_mean(name, self._secrets)
            self._document.unread(keys, place, f"there is no secret {name!r} in {SECRETS}.{hint}")
            return None
        self._document.hidden[keys] = self._secrets[name]
        return self._secrets[name]

    def _read_secrets(self) -> Iterator[tuple[str, str]]:
        """Names and texts; of the file's mistakes only the line is told."""
        try:
            node = compose((self._folder / SECRETS).read_bytes())
        except OSError:
            return  # each !secret says what it misses
        except Malformed as error:
            self._document.problems.append(Problem(Place(SECRETS, error.line), (), "is not YAML here; put the value in quotes"))
            return
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                yield str(key.value), str(value.value)
            else:
                wrong = "expected a name and a text, such as wifi: 'pass word'"
                self._document.problems.append(Problem(_at(SECRETS, key), (), wrong))

    def _include(self, name: str, keys: Keys, place: Place) -> Any:
        path = (self._open[-1].parent / name).resolve()
        if not path.is_relative_to(self._folder):
            self._document.unread(keys, place, f"{name} lies outside the configuration's folder; copy it into {self._folder.name}/")
        elif path in [p.resolve() for p in self._open]:
            self._document.unread(keys, place, f"{name} includes itself: {' → '.join(self._shown(p) for p in (*self._open, path))}")
        elif len(self._open) > MAX_INCLUDES:
            self._document.unread(keys, place, f"more than {MAX_INCLUDES} files include each other in a row")
        else:
            try:
                raw = path.read_bytes()
            except OSError as error:
                self._document.unread(keys, place, f"{name} cannot be read: {error.strerror}")
                return None
            return self._file(path, raw, keys)
        return None


def _at(file: str, node: yaml.Node) -> Place:
    return Place(file, 0 if node.start_mark is None else node.start_mark.line + 1)
