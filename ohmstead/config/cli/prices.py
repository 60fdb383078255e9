"""Prices of one's own, from a CSV or YAML file to the book."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ohmstead.config.cli.api import Api
from ohmstead.config.yaml_file import read_file
from ohmstead.core.errors import ConfigError, Invalid
from ohmstead.integrations.csv_file.prices import prices

MOST = 100_000  # prices of a file


def rows(file: Path, zone: str | None) -> list[dict[str, Any]]:
    """The prices of a file as the API takes them; ConfigError with every mistake that shows without it."""
    found = _yaml(file) if file.suffix.lower() in (".yaml", ".yml") else prices(file, zone)
    try:
        read = list(islice(found, MOST + 1))
    except Invalid as error:
        raise ConfigError([f"{file}: {error}", *(f"  {each['path']}: {each['message']}" for each in error.details or ())]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error
    if len(read) > MOST:
        raise ConfigError(f"{file}: more than {MOST:,} prices; split the file")
    return read


def _yaml(file: Path) -> Iterator[dict[str, Any]]:
    document = read_file(file)
    if document.problems:
        raise ConfigError([str(problem) for problem in document.problems])
    listed = document.data.get("prices") if isinstance(document.data, dict) else None
    if not isinstance(listed, list):
        raise ConfigError(f"{file}: expected prices: and below it a list, each with start and price")
    for number, each in enumerate(listed):
        place = f"line {document.place(('prices', number)).line}"
        if not isinstance(each, dict) or not {"start", "price"} <= each.keys() <= {"start", "end", "price"}:
            raise ConfigError(f"{file}: {place}: expected start, price and, if need be, end")
        yield {**{key: value if key == "price" else str(value) for key, value in each.items()}, "place": place}


def bring(api: Api, file: Path, found: list[dict[str, Any]], series: str, currency: str, unit: str, dry_run: bool) -> dict[str, Any]:
    """Lay them over what is known; the import, with count 0 when they say nothing new."""
    body = {"currency": currency, "prices": found, "unit": unit, "source": file.name, "dry_run": dry_run}
    answer: dict[str, Any] = api.call("POST", f"/prices/{series}/imports", body=body)
    return answer
