"""Templates of rules. Jinja2 is loaded with the first one: most houses have none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ohmstead.plugins.rules.sandbox import Sandbox
    from ohmstead.plugins.rules.template import Template

MARKS = ("{{", "{%")


def is_template(text: object) -> bool:
    """Whether a value that somebody wrote has to be worked out."""
    return isinstance(text, str) and any(mark in text for mark in MARKS)


class Templates:
    """Compiles templates against the functions of the house."""

    def __init__(self, functions: Mapping[str, Callable[..., Any] | Any]) -> None:
        self._functions = functions
        self._sandbox: Sandbox | None = None

    def compile(self, source: str) -> Template:
        """Invalid when it cannot be read."""
        from ohmstead.plugins.rules.sandbox import Sandbox
        from ohmstead.plugins.rules.template import Template

        if self._sandbox is None:
            self._sandbox = Sandbox(self._functions)
        return Template(self._sandbox, source)
