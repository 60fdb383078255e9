"""Writes the parts of the docs that are taken from the code: run `python docs/generate.py`; a test compares.

A generated part stands between `<!-- generated: name -->` and `<!-- end -->`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ohmstead.core import validate
from ohmstead.core.plugin import Hooks, Integration
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.protocols.context import Context
from ohmstead.plugins.protocols.http import Http
from ohmstead.plugins.protocols.modbus import ModbusBus
from ohmstead.plugins.protocols.tcp import ByteStream

PAGES = ("plugins.md",)
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def hooks() -> Iterator[str]:
    """Every hook: its signature, docstring and example."""
    for name, hook in vars(Hooks).items():
        if name.startswith("ohmstead_"):
            text, _, example = inspect.getdoc(hook).partition("Example: ")  # type: ignore[union-attr]
            yield f"**`{name}{_signature(hook)}`**\n\n{_flat(text)} Example:\n\n```python\n{example.strip().strip('`')}\n```\n"


def speaking() -> Iterator[str]:
    """What a context offers."""
    for title, kind in (("context", Context), ("context.http", Http), ("bus", ModbusBus), ("stream", ByteStream)):
        for name, member in vars(kind).items():
            if not name.startswith("_") and name != "disconnect" and inspect.getdoc(member):
                call = _signature(member) if callable(member) else ""
                yield f"- `{title}.{name}{call}`: {_flat(inspect.getdoc(member) or '')}"


def integration() -> Iterator[str]:
    """The fields of an Integration."""
    yield f"`Integration({', '.join(inspect.signature(Integration).parameters)})`\n"
    yield _flat((inspect.getdoc(Integration) or "").partition("\n\n")[2])


def validators() -> Iterator[str]:
    """The validators for options."""
    for name, member in vars(validate).items():
        if getattr(member, "__module__", "") == validate.__name__ and inspect.getdoc(member) and not name.startswith("_"):
            parameters = [str(p).split(":")[0] for p in inspect.signature(member).parameters.values()]
            if name not in ("options", "did_you_mean"):
                call = "" if parameters == ["value"] else f"({', '.join(parameters)})"
                yield f"- `validate.{name}{call}`: {_flat(inspect.getdoc(member) or '')}"


def quantities() -> Iterator[str]:
    """The table of quantities, phases and tariffs folded into the quantity they belong to."""
    known = Quantities()
    yield "| quantity | unit | kind | what | also |\n| --- | --- | --- | --- | --- |"
    for quantity in known.values():
        if re.search(r"_(l[123]|t[1-4])$", quantity.name) and re.sub(r"_\w\d$", "", quantity.name) in known:
            continue
        also = [f"`{end}`" for end in ("_l1", "_t1") if quantity.name + end in known]
        more = ", ".join(end.replace("1`", "1` … `" + ("_l3`" if "l" in end else "_t4`")) for end in also)
        yield f"| `{quantity.name}` | {quantity.unit} | {quantity.kind} | {quantity.description} | {more} |"


PARTS: dict[str, Callable[[], Iterator[str]]] = {part.__name__: part for part in (hooks, speaking, integration, validators, quantities)}


def page(text: str) -> str:
    """A page with its generated parts made anew."""
    return _PART.sub(lambda match: match[1] + "\n".join(PARTS[match[2]]()) + "\n" + match[3], text)


def _signature(member: Any) -> str:
    text = re.sub(r"\(self(, )?", "(", str(inspect.signature(member)))
    return re.sub(r" -> None$", "", re.sub(r"(: |-> )'([^']*)'", r"\1\2", text))


def _flat(text: str) -> str:
    return " ".join(text.split())


def main() -> int:
    """Rewrite the pages; 1 when one of them was out of date."""
    stale = 0
    for name in PAGES:
        path = Path(__file__).parent / name
        old = path.read_text(encoding="utf-8")
        if (new := page(old)) != old:
            path.write_text(new, encoding="utf-8")
            print(f"{path}: written anew")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
