"""Files of line protocol into readings."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import ImportRow
from ohmstead.integrations.line_protocol.file import importer

IMPORTER = importer()


def read(path: Path, **options: Any) -> list[ImportRow | str]:
    return list(IMPORTER.read(path, validate.options(IMPORTER.schema, options)))


def test_lines_become_readings_and_mistakes_are_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.lp"
    path.write_text('# exported\nm,device=D1 power=1,switch="on" 5000000\n\nD2 power=2i\nD2 power=t 1\nD2 power=x 1\nD2 voltage=230 7999999\r\n')
    found = read(path)
    assert [x for x in found if isinstance(x, ImportRow)] == [
        ImportRow("D1", "power", 1.0, 5, None, "line 2"), ImportRow("D1", "switch", "on", 5, None, "line 2"), ImportRow("D2", "voltage", 230.0, 7, None, "line 7"),
    ]  # fmt: skip
    assert sorted(x for x in found if isinstance(x, str)) == [
        "line 4: no time", "line 5: power is true or false, not a number", "line 6, column 10: invalid boolean",
    ]  # fmt: skip


def test_one_device_for_all_another_precision_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.lp.gz"
    path.write_bytes(gzip.compress(b"".join(b"m power=%d %d\n" % (n, n) for n in range(5000))))
    found = read(path, device="meter", precision="s")
    assert [(row.device, row.value, row.at_ms, row.place) for row in found if isinstance(row, ImportRow)] == [
        ("meter", float(n), n * 1000, f"line {n + 1}") for n in range(5000)
    ]  # fmt: skip


def test_broken_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.lp.gz"
    whole = gzip.compress(b"m power=1 1\n" * 1000)
    for broken in (whole[:-9], whole[:12] + b"\xff" * 20):
        path.write_bytes(broken)
        with pytest.raises(Invalid, match="broken or cut short"):
            read(path)
