"""XML from strangers as a tree: no DOCTYPE, no entities of its own, bounded in depth. Names come without namespaces."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

DEPTH = 20


def tree(raw: bytes) -> Element:
    """The document's element; ValueError for what is no XML, has a DOCTYPE, or nests deeper than 20 levels."""
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")

    def start(name: str, attributes: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise ValueError(f"the XML nests more than {DEPTH} levels deep")
        builder.start(name.rpartition("}")[2], {})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition("}")[2])

    def doctype(*_: Any) -> None:
        raise ValueError("the XML has a DOCTYPE, which is refused")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise ValueError(f"no XML: {error}") from None
    return builder.close()
