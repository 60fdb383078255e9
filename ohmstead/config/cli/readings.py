"""Brings the readings of a file in: `ohmstead import readings`. Interrupted, it goes on where it was when called again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from ohmstead.config.cli.api import Api
from ohmstead.config.imports import item
from ohmstead.config.mistakes import mistakes
from ohmstead.config.parts import Parts
from ohmstead.config.sections import DATABASE
from ohmstead.core.errors import ConfigError, Invalid
from ohmstead.core.plugin import Found, Importer, ImportRow, Into

PORTION = 5000  # readings sent at once
SHOWN = 20  # mistakes that are told by the word

class Progress(msgspec.Struct):
    """How far an import is: what it took from the reader, and what became of that."""

    taken: int = 0
    accepted: int = 0
    rejected: int = 0
    mistakes: list[str] = []  # the first of them

    def wrong(self, texts: Sequence[str], count: int) -> None:
        """Note mistakes, of which `texts` are some."""
        self.rejected += count
        self.mistakes += texts[: max(0, SHOWN - len(self.mistakes))]

    def shown(self) -> dict[str, Any]:
        """What became of the file, as plain data."""
        return {"accepted": self.accepted, "rejected": self.rejected, "mistakes": self.mistakes}


class Notebook(msgspec.Struct):
    """Keeps the progress of one import, under a name made of the file's bytes and the options it is read with."""

    path: Path
    progress: Progress = msgspec.field(default_factory=Progress)

    @classmethod
    def open(cls, data_dir: Path, file: Path, importer: str, options: Mapping[str, Any]) -> Notebook:
        """The notes on an import that was interrupted, or fresh ones."""
        digest = hashlib.sha256(msgspec.json.encode([importer, sorted(options.items())]))
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
        path = data_dir / "imports" / f"{digest.hexdigest()[:32]}.json"
        try:
            return cls(path, msgspec.json.decode(path.read_bytes(), type=Progress))
        except (OSError, msgspec.MsgspecError):
            return cls(path)

    def save(self) -> None:
        """Write it down, so that whoever looks sees all of it or the state before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self.progress))
        draft.replace(self.path)

    def close(self) -> None:
        """Forget it: the import is complete."""
        self.path.unlink(missing_ok=True)


def importers(folder: Path, into: Into = Into.DEVICES) -> list[Importer]:
    """The readers of files that the house's plugins declare, of those whose rows go there."""

    async def collect() -> list[Importer]:
        contributions = Parts(folder, DATABASE, "process").contributions
        contributions.discover()
        return [importer for importer in contributions.importers() if importer.into is into]

    return asyncio.run(collect())


def choose(known: Sequence[Importer], file: Path, name: str | None) -> Importer:
    """The importer of that name, or the one for files named so. ConfigError."""
    for importer in known:
        if importer.name == name or (name is None and file.name.lower().endswith(importer.suffixes)):
            return importer
    names = ", ".join(importer.name for importer in known)
    if name is not None:
        raise ConfigError(f"--format: there is no {name!r}; there are {names}")
    raise ConfigError(f"{file}: what is in it? Give --format: {names}")


def checked(importer: Importer, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the importer wants them; ConfigError with every mistake."""
    value, wrong = mistakes(dict(importer.schema), dict(options))
    if wrong:
        raise ConfigError([f"--{'-'.join(map(str, each.keys)).replace('_', '-')}: {each.text}" for each in wrong])
    return {str(key): option for key, option in value.items()}


def bring(api: Api, file: Path, found: Iterator[Found], notebook: Notebook) -> Iterator[Progress]:
    """Send a file's readings in portions; the progress after each, which is committed by then."""
    progress = notebook.progress
    _skip(found, progress.taken)
    while some := list(islice(found, PORTION)):
        wrong = [each for each in some if isinstance(each, str)]
        progress.wrong(wrong, len(wrong))
        rows = [item(each) for each in some if isinstance(each, ImportRow)]
        if rows:
            answer = api.call("POST", "/imports/readings", body={"file": file.name, "rows": msgspec.to_builtins(rows)})
            progress.accepted += answer["accepted"]
            progress.wrong(answer["items"], answer["rejected"])
        progress.taken += len(some)
        notebook.save()
        yield progress
    notebook.close()


def _skip(found: Iterator[Found], count: int) -> None:
    for _ in islice(found, count):
        pass


def read(importer: Importer, file: Path, options: Mapping[str, Any]) -> Iterator[Found]:
    """What the importer finds; ConfigError for a file that it cannot read at all."""
    try:
        yield from importer.read(file, options)
    except (OSError, Invalid) as error:
        raise ConfigError(f"{file}: {error}") from error
