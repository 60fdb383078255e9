"""Checks a whole configuration at once: each part by its schema, then what the parts say of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.config.document import Document
from ohmstead.config.mistakes import mistakes, without
from ohmstead.config.problem import Keys, Problem
from ohmstead.config.sections import INTEGRATIONS
from ohmstead.config.templates import with_template
from ohmstead.core import validate
from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Integration, Section
from ohmstead.core.runner import Entry
from ohmstead.plugins.devices.configured import Configured
from ohmstead.plugins.protocols.broker import WARNING as EMBEDDED
from ohmstead.plugins.protocols.mqtt import Options as Broker
from ohmstead.plugins.protocols.mqtt import options as broker_options
from ohmstead.plugins.storage.engine import locate

ROUNDS = 5  # how often a part is looked at again without what was wrong with it


class Known(msgspec.Struct, frozen=True):
    """What a configuration may speak of: sections by key, integrations by type with the foreign plugin they are from."""

    sections: Mapping[str, Section]
    integrations: Mapping[str, tuple[Integration, str | None]]


class Checked(msgspec.Struct, frozen=True):
    """A configuration without mistakes, defaults filled in. `notes` are what its owner should know."""

    sections: Mapping[str, Any]
    entries: Mapping[str, Entry]
    broker: Broker | None = None
    notes: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()

    @property
    def configured(self) -> Configured:
        """What the registry of devices is given."""
        part = self.sections
        return Configured(part["home"], part["locations"], part["devices"], frozenset(self.entries), part["registry"])


def check(document: Document, known: Known, folder: Path) -> Checked:
    """Everything checked; mistakes go to `document.problems`, and what is wrong is left out of the answer."""
    for key in document.data:
        if key not in known.sections and key != INTEGRATIONS:
            document.wrong((key,), f"unknown section.{validate.did_you_mean(key, [*known.sections, INTEGRATIONS])}")
    sections = {key: _section(document, section) for key, section in known.sections.items()}
    entries = {entry.device: entry for entry in _entries(document, known)}
    sound = not any(problem.keys[:1] == ("mqtt",) for problem in document.problems)
    broker = _broker(document, sections["mqtt"], folder) if sound else None
    _database(document, sections["storage"], folder)
    notes = (EMBEDDED,) if broker is not None and broker.embedded else ()
    return Checked(sections, entries, broker, notes, document.secrets)


def raise_problems(document: Document) -> None:
    """ConfigError with one line for every problem, in the order of the files and lines."""
    if document.problems:
        raise ConfigError([str(problem) for problem in in_order(document.problems, document.files)])


def in_order(problems: Iterable[Problem], files: list[str]) -> list[Problem]:
    """Problems as somebody meets them who reads the files."""
    rank = {file: number for number, file in enumerate(files)}
    return sorted(problems, key=lambda p: (rank.get(p.place.file, len(rank)), p.place.file, p.place.line))


def _section(document: Document, section: Section) -> Any:
    given = document.data.get(section.key)
    if given is None:
        given = section.default
    if given is None:
        return None
    value, wrong = mistakes(section.schema, given)
    told: set[Keys] = set()
    for round_ in range(ROUNDS):
        for mistake in wrong:
            if mistake.keys not in told and (round_ == 0 or not mistake.missing):  # what misses now may be what was taken out
                document.wrong((section.key, *mistake.keys), mistake.text)
        told |= {mistake.keys for mistake in wrong}
        if not wrong:
            return value
        given = without(given, wrong)
        value, wrong = mistakes(section.schema, given)
    return section.default if wrong else value


def _entries(document: Document, known: Known) -> Iterator[Entry]:
    given = document.data.get(INTEGRATIONS)
    if given is None:
        return
    if not isinstance(given, dict):
        document.wrong((INTEGRATIONS,), "expected the ids of devices, each with its type and options below it")
        return
    for device, options in given.items():
        entry = _entry(document, known, device, options)
        if entry is not None:
            yield entry


def _entry(document: Document, known: Known, device: str, options: Any) -> Entry | None:
    keys = (INTEGRATIONS, device)
    try:
        validate.slug(device)
    except vol.Invalid as error:
        document.wrong(keys, str(error))
    if not isinstance(options, dict):
        document.wrong(keys, "expected the device's type and options below it, such as type: shelly_gen2")
        return None
    kind = options.get("type")
    if kind is None:
        document.wrong((*keys, "type"), f"is missing; there are {', '.join(sorted(known.integrations))}")
        return None
    if not isinstance(kind, str) or kind not in known.integrations:
        hint = validate.did_you_mean(str(kind), known.integrations) or f" There are {', '.join(sorted(known.integrations))}"
        document.wrong((*keys, "type"), f"unknown integration {str(kind)[:64]!r}.{hint}")
        return None
    integration, foreign = known.integrations[kind]
    value, wrong = mistakes(dict(integration.schema), {key: option for key, option in options.items() if key != "type"})
    for mistake in wrong:
        document.wrong((*keys, *mistake.keys), mistake.text)
    if wrong:
        return None
    try:
        return Entry(device, integration, with_template(integration.templates, value), foreign)
    except ConfigError as error:
        for text in error.problems:
            document.wrong((*keys, "model"), text)
        return None


def _broker(document: Document, given: Any, folder: Path) -> Broker | None:
    if given is None:
        return None
    try:
        return broker_options(given, folder)
    except ConfigError as error:
        place(document, error)
        return None


def _database(document: Document, given: Any, folder: Path) -> None:
    try:
        locate(given["url"], folder / "data")
    except ConfigError as error:
        place(document, error)


def place(document: Document, error: ConfigError) -> None:
    """Find the lines for problems that begin with the way there: `mqtt → port: …`."""
    for problem in error.problems:
        way, colon, text = problem.partition(": ")
        keys = tuple(way.split(" → ")) if colon else ()
        document.wrong(keys, text) if keys else document.wrong((), problem)
