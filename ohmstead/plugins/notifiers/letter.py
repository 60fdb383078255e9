"""A message as a letter: text and HTML, from the Jinja2 templates beside this."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.notice import Message

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"


class Letter(msgspec.Struct, frozen=True):
    """Both forms of one message."""

    text: str
    html: str


class Letters:
    """Writes them; Jinja2 is imported with the first."""

    def write(self, message: Message) -> Letter:
        """The letter. What a template shows is escaped in the HTML."""
        shown = {"message": message, "at": iso(message.at_ms)}
        return Letter(*(self._environment.get_template(name).render(shown) for name in ("notice.txt", "notice.html")))

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, select_autoescape

        return Environment(loader=FileSystemLoader(FOLDER), autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True)
