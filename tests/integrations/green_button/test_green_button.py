"""Green Button files into exact amounts: the real sample, what real files do, and what a file must not do."""

from __future__ import annotations

import gzip
import os
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Into, PeriodRow, RegisterRow
from ohmstead.integrations.green_button import GreenButton
from ohmstead.integrations.green_button.packed import chunks
from tests.fakes.espi import METER, TAIL, block, entry, feed, meter, reading, reading_type

IMPORTER, _ = GreenButton().ohmstead_importers()
DATA = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[4] / "shared" / "data"))
DAY = 1_700_006_400  # 2023-11-15 00:00 UTC
HOUR = 3600


def found(folder: Path, text: str | bytes, name: str = "usage.xml", **options: Any) -> tuple[list[Any], list[str]]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    rows = list(IMPORTER.read(path, options))
    return [row for row in rows if not isinstance(row, str)], [row for row in rows if isinstance(row, str)]


def plain(rows: list[PeriodRow]) -> list[tuple[int, int, int]]:
    return [((row.from_ms - DAY * 1000) // 1000, (row.to_ms - row.from_ms) // 1000, row.amount) for row in rows]


def test_the_sample_of_a_utility() -> None:
    path = DATA / "green_button_sample.xml"
    if not path.is_file():
        pytest.skip(f"{path} is not there; set OHMSTEAD_DATA to its folder")
    rows = list(IMPORTER.read(path, {}))
    assert len(rows) == 362
    assert sum(row.amount for row in rows) == 291_018_000
    assert (rows[0].from_ms, rows[-1].from_ms) == (1_293_868_800_000, 1_295_168_400_000)
    assert {row.to_ms - row.from_ms for row in rows} == {3_600_000}
    assert IMPORTER.into is Into.METER_POINT
    assert IMPORTER.layer == "settled"


def test_the_type_may_follow_its_blocks(tmp_path: Path) -> None:
    rows, _ = found(tmp_path, feed(block(reading(DAY, 5)), meter(), reading_type(powerOfTenMultiplier=3)))
    assert plain(rows) == [(0, HOUR, 5_000_000)]


def test_a_feed_that_repeats_everything_before_every_block_with_the_same_ids(tmp_path: Path) -> None:
    days = [(meter(), reading_type(), block(reading(DAY + day * 86_400, day), up=METER)) for day in range(5)]
    rows, _ = found(tmp_path, feed(*(each for day in days for each in day)))
    assert [row.amount for row in rows] == [0, 1000, 2000, 3000, 4000]


def test_the_hour_that_a_utility_repeats_in_spring_comes_twice_and_the_later_one_last(tmp_path: Path) -> None:
    first = block(*(reading(DAY + hour * HOUR, hour) for hour in range(24)))
    second = block(*(reading(DAY + hour * HOUR, hour + 100) for hour in range(23, 47)))
    rows, _ = found(tmp_path, feed(meter(), reading_type(), first, second))
    assert [row.amount for row in rows if row.from_ms == (DAY + 23 * HOUR) * 1000] == [23_000, 123_000]


def test_several_blocks_in_one_content_and_readings_without_their_periods(tmp_path: Path) -> None:
    one = "".join(f"<IntervalBlock>{reading(None, value)}{reading(None, value + 1)}<interval><start>{DAY + start}</start></interval></IntervalBlock>"
                  for start, value in ((0, 1), (2 * HOUR, 3)))  # fmt: skip
    rows, _ = found(tmp_path, feed(entry(one, up=f"{METER}/IntervalBlock"), meter(), reading_type()))
    assert plain(rows) == [(hour * HOUR, HOUR, (hour + 1) * 1000) for hour in range(4)]


def test_links_that_are_wrong_or_whole_addresses(tmp_path: Path) -> None:
    rows, _ = found(tmp_path, feed(meter(kind="ReadingType/404"), reading_type(), block(reading(DAY, 7), up="elsewhere")))
    assert plain(rows) == [(0, HOUR, 7000)], "the only type there is"
    forward, reverse = reading_type("ReadingType/1"), reading_type("ReadingType/2", flowDirection=19)
    whole = block(reading(DAY, 7), up=f"https://utility.example/{METER}/IntervalBlock/")
    rows, _ = found(tmp_path, feed(meter(), forward, reverse, whole))
    assert plain(rows) == [(0, HOUR, 7000)]
    with pytest.raises(Invalid, match="belong to none of the file's 2 ReadingTypes"):
        found(tmp_path, feed(meter(kind="x"), forward, reverse, block(reading(DAY, 7), up="elsewhere")))


def two_ways() -> str:
    other = f"{METER}2"
    return feed(
        reading_type("ReadingType/1"), reading_type("ReadingType/2", flowDirection=19), meter(kind="ReadingType/1"),
        meter(other, "ReadingType/2", "Delivered back"), block(reading(DAY, 7)), block(reading(DAY, 9), up=f"{other}/IntervalBlock"),
    )  # fmt: skip


def test_import_and_export_are_told_apart(tmp_path: Path) -> None:
    assert plain(found(tmp_path, two_ways(), flow="forward")[0]) == [(0, HOUR, 7000)]
    assert plain(found(tmp_path, two_ways(), flow="reverse")[0]) == [(0, HOUR, 9000)]
    assert plain(found(tmp_path, two_ways(), meter_reading="Delivered back")[0]) == [(0, HOUR, 9000)]
    with pytest.raises(Invalid, match=r"choose with --flow .*\n.*1 “Electricity”: forward, periods, Wh\n.*12 “Delivered back”: reverse"):
        found(tmp_path, two_ways())
    with pytest.raises(Invalid, match="with meter-reading nobody are in the file"):
        found(tmp_path, two_ways(), meter_reading="nobody")


def test_net_energy_is_split_by_its_sign(tmp_path: Path) -> None:
    text = feed(meter(), reading_type(flowDirection=4), block(reading(DAY, 7), reading(DAY + HOUR, -3)))
    assert plain(found(tmp_path, text, flow="forward")[0]) == [(0, HOUR, 7000), (HOUR, HOUR, 0)]
    assert plain(found(tmp_path, text, flow="reverse")[0]) == [(0, HOUR, 0), (HOUR, HOUR, 3000)]
    with pytest.raises(Invalid, match="choose with --flow"):
        found(tmp_path, text)


@pytest.mark.parametrize(("uom", "multiplier", "value", "amount", "unit"), [
    (72, 0, 1, 1000, "mWh"), (72, 3, 1, 1_000_000, "mWh"), (72, -3, 1, 1, "mWh"), (72, -6, 1500, 2, "mWh"), (72, -6, 2500, 2, "mWh"),
    (31, 0, 3600, 1000, "mWh"), (31, 0, 1, 0, "mWh"), (169, 0, 1, 29_307_107, "mWh"), (132, 0, 1, 293, "mWh"),
    (42, -3, 1234, 1_234_000, "mL"), (119, 2, 1, 2_831_685, "mL"), (134, 0, 5, 5000, "mL"), (128, 0, 1, 3785, "mL"),
])  # fmt: skip
def test_units_are_exact(tmp_path: Path, uom: int, multiplier: int, value: int, amount: int, unit: str) -> None:
    rows, _ = found(tmp_path, feed(meter(), reading_type(uom=uom, powerOfTenMultiplier=multiplier), block(reading(DAY, value))))
    assert [(row.amount, row.unit) for row in rows] == [(amount, unit)]


@pytest.mark.parametrize("behaviour", [1, 2, 3])
def test_a_display_becomes_registers_at_the_end_of_their_periods(tmp_path: Path, behaviour: int) -> None:
    text = feed(meter(), reading_type(accumulationBehaviour=behaviour), block(reading(DAY, 100, 0), reading(DAY, 250, 86_400)))
    assert found(tmp_path, text)[0] == [RegisterRow(DAY * 1000, 100_000), RegisterRow((DAY + 86_400) * 1000, 250_000)]


def test_the_utilitys_word_on_quality(tmp_path: Path) -> None:
    codes = [None, 0, 14, 17, 18, 19, 7, 8, 9, 10, 12, 13, 99]
    text = feed(meter(), reading_type(), block(*(reading(DAY + n * HOUR, 1, quality=code) for n, code in enumerate(codes))))
    assert [row.estimated for row in found(tmp_path, text)[0]] == [False] * 6 + [True] * 7


def test_what_makes_no_sense_is_told_and_the_rest_is_taken(tmp_path: Path) -> None:
    odd = [reading(DAY, -1), reading(DAY, 5), "<IntervalReading><cost>1</cost></IntervalReading>", reading(DAY, 1, 0),
           reading(10**14, 5), reading(DAY, 5, 10**9), reading(None, 5)]  # fmt: skip
    rows, mistakes = found(tmp_path, feed(meter(), reading_type(intervalLength=None), block(*odd)))
    assert plain(rows) == [(0, HOUR, 5000)]
    assert [word in text for word, text in zip(
        ["without a value", "-1 is negative", "without a length", "is no period", "is no period", "says its period"], mistakes, strict=True,
    )] == [True] * 6  # fmt: skip
    assert "more than 9 TWh" in found(tmp_path, feed(meter(), reading_type(powerOfTenMultiplier=12), block(reading(DAY, 10**9))))[1][0]


@pytest.mark.parametrize("multiplier", [13, -13, 10**9])
def test_a_multiplier_beyond_reason_is_refused(tmp_path: Path, multiplier: int) -> None:
    with pytest.raises(Invalid, match="expected -12 to 12"):
        found(tmp_path, feed(meter(), reading_type(powerOfTenMultiplier=multiplier), block(reading(DAY, 5))))


@pytest.mark.parametrize("value", ["10^999999", "1e9", "12,5", "12.5", "NaN", "9" * 16, "٣", "1 2", ""])
def test_numbers_that_are_none_are_refused_with_their_line(tmp_path: Path, value: str) -> None:
    with pytest.raises(Invalid, match="line 4: expected a whole number"):
        found(tmp_path, feed(meter(), reading_type(), block(reading(DAY, value))))


BOMB = '<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><feed>&b;</feed>'


@pytest.mark.parametrize(("text", "why"), [
    (BOMB, "DOCTYPE"),
    ('<!DOCTYPE feed SYSTEM "http://127.0.0.1:9/x.dtd"><feed/>', "DOCTYPE"),
    ('<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed>&x;</feed>', "DOCTYPE"),
    ("<feed>&x;</feed>", "no well-formed XML: undefined entity"),
    ("<a>" * 65, "nested more than 64"),
    ("<feed><entry><content><UsagePoint>" + "<a>" * 70, "nested more than 64"),
    ("<feed><IntervalBlock><IntervalReading>" + "<a>" * 70, "nested more than 64"),
    ("<feed><title>" + "x" * 3_000_000, "longer than 1 MiB"),
    ("<feed><IntervalBlock><IntervalReading><value>" + "1" * 3_000_000, "longer than 1 MiB"),
    ("<feed><entry><content><UsagePoint><x>" + "x" * 3_000_000, "longer than 1 MiB"),
    ('<feed><link href="' + "x" * 4_000_000, "longer than 1 MiB|unclosed token"),
    ("<feed><!--" + "x" * 4_000_000, "longer than 1 MiB|unclosed token"),
    ("<feed><UsagePoint>" + "<a/>" * 30_000, "more than 20,000 elements"),
    ("<feed>" + "".join(f"<a{n}/>" for n in range(90_000)), "different names"),
    ("<feed><entry>", "no well-formed XML"), ("", "no element found"), ("hello", "no well-formed"),
    ('<?xml version="1.0" encoding="rot13"?><feed/>', "no well-formed XML"),
])  # fmt: skip
def test_files_that_would_do_harm(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        found(tmp_path, text)


def test_gzip_and_zip_and_what_unpacks_without_end(tmp_path: Path) -> None:
    text = feed(meter(), reading_type(), block(reading(DAY, 5)))
    assert len(found(tmp_path, gzip.compress(text.encode()), "usage.xml.gz")[0]) == 1
    with pytest.raises(Invalid, match="broken or cut short"):
        found(tmp_path, gzip.compress(text.encode())[:-20], "usage.xml.gz")
    with zipfile.ZipFile(tmp_path / "usage.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("usage.xml", text)
    assert len(list(IMPORTER.read(tmp_path / "usage.zip", {}))) == 1
    with zipfile.ZipFile(tmp_path / "usage.zip", "a") as archive:
        archive.writestr("more.xml", text)
    with pytest.raises(Invalid, match="holds 2 XML files"):
        list(IMPORTER.read(tmp_path / "usage.zip", {}))
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b" " * 20_000_000))
    assert bomb.stat().st_size < 50_000
    with pytest.raises(Invalid, match="larger than 9 MiB"):
        list(chunks(bomb, 9 << 20))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "year.xml"
    one = "".join(reading(DAY + n * 900, n) for n in range(96))
    with path.open("w") as file:
        file.write(feed(reading_type(intervalLength=900), meter()).removesuffix(TAIL))
        for _ in range(400):
            file.write(block(one))
        file.write(TAIL)
    assert path.stat().st_size > 5_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in IMPORTER.read(path, {})) == 38_400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000  # KiB
