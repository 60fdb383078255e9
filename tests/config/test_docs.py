"""The documentation is right: its YAML passes the check, its tables are those of the code.

`UPDATE_DOCS=1 pytest tests/config/test_docs.py` writes the tables anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ohmstead.config.environment import VARIABLES
from ohmstead.config.examine import json_schema, problems

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "configuration.md"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLUGIN = re.compile(r"^```python\n# ohmstead-config/plugins/(\w+\.py)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECRET = re.compile(r"!secret (\w+)")


def blocks() -> Iterator[Any]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text()
        for number, match in enumerate(BLOCK.finditer(text)):
            if "registers:" not in match[1]:  # a device template, which is no configuration
                yield pytest.param(match[1], dict(PLUGIN.findall(text)), id=f"{path.name}-{number}")


@pytest.mark.parametrize(("yaml", "plugins"), list(blocks()))
def test_every_example_passes_the_check(yaml: str, plugins: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    for name, code in plugins.items():
        (tmp_path / "plugins" / name).write_text(code)
    (tmp_path / "configuration.yaml").write_text(yaml)
    values = {"database": "sqlite:///house.db"}
    (tmp_path / "secrets.yaml").write_text("".join(f"{name}: {values.get(name, 'x')}\n" for name in SECRET.findall(yaml)))
    assert [str(problem) for problem in problems(tmp_path).problems] == []


def written(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def rows(schema: dict[str, Any], way: str = "") -> Iterator[str]:
    """A row for every option, those of mappings below their own."""
    for part in schema.get("allOf", ()):  # a mapping that something else is checked of as well
        yield from rows(part, way)
    for name, inner in sorted(schema.get("properties", {}).items()):
        if name == "type" and "const" in inner:
            continue
        needed = "required" if name in schema.get("required", []) else f"`{written(inner['default'])}`" if "default" in inner else ""
        yield f"| `{way}{name}` | {inner.get('description', '')} | {needed} |"
        yield from rows(inner, f"{way}{name} → ")
    if isinstance(below := schema.get("additionalProperties"), dict):
        yield from rows(below, f"{way}*id* → ")


def options(schema: dict[str, Any]) -> str:
    lines = []
    for key, section in schema["properties"].items():
        lines += [f"### `{key}:`", "", f"{section['description'][0].upper()}{section['description'][1:]}.", ""]
        if key == "integrations":
            for entry in sorted(section["additionalProperties"]["allOf"], key=lambda e: e["if"]["properties"]["type"]["const"]):
                there = entry["then"]
                title = entry["if"]["properties"]["type"]["const"]
                lines += [f"#### `type: {title}`", "", f"{there['description'][0].upper()}{there['description'][1:]}.", ""]
                lines += ["| option | | default |", "| --- | --- | --- |", *rows(there), ""]
        else:
            lines += ["| option | | default |", "| --- | --- | --- |", *rows(section), ""]
    return "\n".join(lines)


def variables() -> str:
    head = ["| variable | stands for | |", "| --- | --- | --- |", "| `OHMSTEAD_CONFIG` | `-c` | the folder |"]
    return "\n".join([*head, *(f"| `{name}` | `{' → '.join(v.keys)}` | {v.text} |" for name, v in VARIABLES.items()), ""])


def test_the_tables_are_those_of_the_code(tmp_path: Path) -> None:
    text = PAGE.read_text()
    fresh = text
    for name, table in (("options", options(json_schema(tmp_path))), ("variables", variables())):
        fresh = re.sub(rf"<!-- {name} -->\n.*?<!-- /{name} -->", lambda _, n=name, t=table: f"<!-- {n} -->\n{t}<!-- /{n} -->", fresh, flags=re.DOTALL)
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(fresh)
    assert text == fresh, "run UPDATE_DOCS=1 pytest tests/config/test_docs.py"
