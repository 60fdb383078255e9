"""Prices of one's own in a CSV file: columns start, price and, where a price does not hold until the next one, end."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.integrations.csv_file.rows import opened
from ohmstead.integrations.csv_file.stamps import Stamps

COLUMNS = ("start", "end", "price")
Found = dict[str, str]


def prices(path: Path, zone: str | None = None) -> Iterator[Found]:
    """Rows with start and end as instants, the price as it is written, and the place; Invalid with every time that is none.

    `zone` is that of times without an offset; of an hour that comes twice the order of the rows tells which it is.
    """
    stamps = Stamps({"time_format": "iso", "midnight": "start_of_day", **({"zone": zone} if zone else {})})
    wrong: list[Found] = []
    with opened(path) as file:
        head = file.readline()
        delimiter = max(",;\t", key=head.count)
        header = [cell.strip().strip('"').lower() for cell in head.split(delimiter)]
        table = csv.reader(file, delimiter=delimiter)
        if not {"start", "price"} <= set(header) <= set(COLUMNS):
            found = ", ".join(header)[:200] or "nothing"
            raise Invalid(f"{path.name}: expected the columns start and price, and end if need be, not {found}")
        for cells in table:
            place = f"line {table.line_num + 1}"
            try:
                if cells:
                    yield _row(header, cells, stamps, place)
            except ValueError as error:
                wrong.append({"path": place, "message": str(error)})
    if wrong:
        raise Invalid("the prices are not right", wrong[:20])


def _row(header: list[str], cells: list[str], stamps: Stamps, place: str) -> Found:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells, expected {len(header)}")
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    times = {name: iso(stamps.read(row[name], name)) for name in ("start", "end") if row.get(name)}
    if "start" not in times:
        raise ValueError("start is empty")
    return {**times, "price": row["price"], "place": place}
