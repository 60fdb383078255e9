"""YAML in, plain data and the line of every value out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ohmstead.config.document import Document
from ohmstead.config.problem import Place
from ohmstead.config.yaml_file import Reader, read, read_file
from tests.config.conftest import Write


def problems(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


def only(document: Document) -> str:
    (problem,) = problems(document)
    return problem


def test_plain_values_are_what_people_mean(folder: Write) -> None:
    yaml = """
    no: off
    time: 22:30
    zeros: 0123
    day: 2026-02-07
    hex: 0x0C
    number: -1.5
    short: 1e3
    whole: 42
    true: true
    False: FALSE
    nothing: ~
    empty:
    quoted: "5"
    single: 'true'
    block: |
      7
    long: 1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111
    """
    data = read(folder(yaml), {}).data
    assert data.pop("long").startswith("1111")
    assert data == {
        "no": "off", "time": "22:30", "zeros": "0123", "day": "2026-02-07", "hex": 12, "number": -1.5, "short": 1000.0, "whole": 42,
        "true": True, "False": False, "nothing": None, "empty": None, "quoted": "5", "single": "true", "block": "7\n",
    }  # fmt: skip


def test_every_key_and_value_has_its_line(folder: Write) -> None:
    document = read(folder("a:\n  b:\n  - 1\n  - c: 2\nd: [3,\n 4]\n"), {})
    assert document.place(("a", "b")) == Place("configuration.yaml", 2)
    assert document.place(("a", "b", 1, "c")) == Place("configuration.yaml", 4)
    assert document.place(("d", 1)) == Place("configuration.yaml", 6)
    assert document.place(("a", "unknown", "deeper")) == Place("configuration.yaml", 1)
    assert document.place(("nowhere",)) == Place("configuration.yaml", 1)


def test_an_empty_file_is_an_empty_configuration(folder: Write) -> None:
    assert read(folder("# nothing\n"), {}).data == {}
    assert problems(read(folder("- a\n"), {})) == [
        "configuration.yaml:1  expected sections such as home: and devices:, each with its own lines below it"
    ]


@pytest.mark.parametrize(("yaml", "problem"), [
    ("a:\n\tb: 1\n", "2  a tab; indent with spaces"),
    ("a: @b\n", "1  a text cannot begin with @; put it in quotes"),
    ("a: b: c\n", '1  a ":" where none can stand; check the indentation and the line above, put texts that hold ": " in quotes'),
    ("a: [1, 2\nb: 3\n", "2  a list that is opened with [ needs its ]"),
    ("a: {b: 1\nc: 3\n", "2  a mapping that is opened with { needs its }"),
    ("a:\n- 1\n  b: 2\n", '3  a ":" where none can stand; check the indentation and the line above, put texts that hold ": " in quotes'),
    ("a:\n  b: 1\n c: 2\n", "3  this does not fit the indentation of the lines above"),
    ("- a\nb: 1\n", "2  this does not fit the list above; check the indentation"),
    ("a: 'x\nb: 1\n", "1  a quote is opened and never closed"),
    ('a: "\\q"\n', '1  a \\ in a text in "…"; write \\\\ or use \'…\''),
    ("a: *x\n", "1  a * that stands for nothing; put texts that begin with * in quotes"),
    ("a: 1\n---\nb: 1\n", "2  a second --- document; one file holds one"),
    ("a: 1\nb: \x07\n", "2  a character that cannot be seen; remove it"),
    ("a: 1\nb\nc: 1\n", '3  expected "key: value"; check the line above too'),
    ("a: |3x\n", "1  did not find expected comment or line break"),
    ("a: !!python/object:os.system x\n", "1  a: unknown tag !!python/object:os.system; there are !secret, !env and !include"),
    ("? [a]\n: 1\n", "1  a list or mapping cannot be a key"),
    ("a:\n  b: 1\n  b: 2\n", "3  a → b: stands here a second time, first in configuration.yaml:2; remove one of them"),
    ("x: " + "[" * 10_000, "1  is nested more than 40 levels deep"),
])  # fmt: skip
def test_what_is_no_yaml_is_one_sentence(folder: Write, yaml: str, problem: str) -> None:
    assert only(read(folder(yaml), {})) == f"configuration.yaml:{problem}"


def test_what_is_no_text_is_told(folder: Write) -> None:
    there = folder()
    (there / "configuration.yaml").write_bytes(b"a: 1\nb: \xff\n")
    assert only(read(there, {})) == "configuration.yaml:2  is not UTF-8; save the file in that encoding"
    (there / "configuration.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(there, {}).data == {"a": 1}
    (there / "configuration.yaml").write_bytes(b"#" * 1_000_001)
    assert only(read(there, {})) == "configuration.yaml  is larger than 1 MB; is this a configuration?"


def test_aliases_repeat_but_never_explode(folder: Write) -> None:
    assert read(folder("a: &x {b: 1}\nc: *x\n"), {}).data == {"a": {"b": 1}, "c": {"b": 1}}
    laughs = "\n".join(f"l{n}: &l{n} [{','.join([f'*l{n - 1}' if n else 'ha'] * 10)}]" for n in range(8))
    assert "more than 100000 values" in only(read(folder(laughs), {}))
    assert "more than 100000 values" in only(read(folder("a: &a [*a]\n"), {}))


def test_secrets_come_from_the_file_beside(folder: Write) -> None:
    document = read(folder("a: !secret wifi\nb: !secret pin\nc: !secret wfi\n", secrets_yaml="wifi: hunter22\npin: 0123\n"), {})
    assert document.data == {"a": "hunter22", "b": "0123", "c": None}
    assert only(document) == "configuration.yaml:3  c: there is no secret 'wfi' in secrets.yaml. Did you mean \"wifi\"?"
    assert document.secrets == {"hunter22", "0123"}
    assert only(read(folder("a: !secret\n"), {})) == "configuration.yaml:1  a: !secret needs a name behind it, without quotes around both"


def test_mistakes_in_the_secrets_never_show_them(folder: Write) -> None:
    document = read(folder("a: !secret wifi\n", secrets_yaml="wifi: *hunter22\n"), {})
    assert problems(document) == [
        "secrets.yaml:1  is not YAML here; put the value in quotes",
        "configuration.yaml:1  a: there is no secret 'wifi' in secrets.yaml.",
    ]
    document = read(folder("a: !secret wifi\n", secrets_yaml="wifi: x\nlist: [hunter22]\n"), {})
    assert only(document) == "secrets.yaml:2  expected a name and a text, such as wifi: 'pass word'"
    missing = folder("a: !secret x\n")
    (missing / "secrets.yaml").unlink()
    assert only(read(missing, {})) == "configuration.yaml:1  a: there is no secret 'x' in secrets.yaml."


def test_the_environment_may_give_values(folder: Write) -> None:
    document = read(folder("a: !env HOST\nb: !env NONE some words\nc: !env NONE\nd: !env 1x\n"), {"HOST": "example"})
    assert document.data == {"a": "example", "b": "some words", "c": None, "d": None}
    assert problems(document) == [
        "configuration.yaml:3  c: the environment has no variable NONE; set it, or give a default: !env NONE default",
        "configuration.yaml:4  d: '1x' is no name of a variable of the environment",
    ]
    assert document.secrets == {"example"}


def test_includes_stay_in_the_folder_and_end(folder: Write) -> None:
    there = folder("devices: !include devices.yaml\nlist:\n- !include none.yaml\n- !include ../x.yaml\n", devices_yaml="a:\n  b: 1\n")
    document = read(there, {})
    assert document.data == {"devices": {"a": {"b": 1}}, "list": [None, None]}
    assert document.place(("devices", "a", "b")) == Place("devices.yaml", 2)
    assert problems(document) == [
        "configuration.yaml:3  list → item 1: none.yaml cannot be read: No such file or directory",
        "configuration.yaml:4  list → item 2: ../x.yaml lies outside the configuration's folder; copy it into house/",
    ]
    assert document.files == ["configuration.yaml", "devices.yaml"]


def test_includes_in_a_circle_are_named(folder: Write) -> None:
    document = read(folder("a: !include b.yaml\n", b_yaml="c: !include configuration.yaml\n"), {})
    assert only(document) == (
        "b.yaml:1  a → c: configuration.yaml includes itself: configuration.yaml → b.yaml → configuration.yaml"
    )
    chain = {f"n{n}_yaml": f"a: !include n{n + 1}.yaml\n" for n in range(20)}
    assert "more than 10 files include each other in a row" in only(read(folder("a: !include n0.yaml\n", **chain), {}))


def test_mistakes_in_an_included_file_name_it(folder: Write) -> None:
    assert only(read(folder("a: !include b.yaml\n", b_yaml="ok: 1\nx: [\n"), {})).startswith("b.yaml:")


def test_one_file_by_itself(tmp_path: Path) -> None:
    (tmp_path / "meter.yaml").write_text("name: x\n")
    assert read_file(tmp_path / "meter.yaml").data == {"name": "x"}
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path, {}).read("none.yaml")
