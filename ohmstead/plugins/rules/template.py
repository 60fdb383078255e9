"""One template of a rule: compiled, and worked out within its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError

from ohmstead.core.errors import Invalid
from ohmstead.plugins.rules.sandbox import TEXT_MOST, Sandbox

SOURCE_MOST = 4_000  # characters of a template


class Template:
    """One template, compiled. `source` is as it was written, `asks` what it calls by name: ("state", "heatpump.power")."""

    __slots__ = ("_sandbox", "_template", "asks", "source")

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        self.source, self._sandbox = source, sandbox
        if len(source) > SOURCE_MOST:
            raise Invalid(f"a template has at most {SOURCE_MOST:,} characters")
        try:
            self._template = sandbox.from_string(source)
            self.asks = frozenset(_asks(sandbox.parse(source)))
        except TemplateError as error:
            raise Invalid(f"the template cannot be read: {_told(error)}") from None
        except RecursionError:
            raise Invalid("the template cannot be read: it is nested too deep") from None

    def text(self, **names: Any) -> str:
        """What it says. Invalid with the reason: a name that is not there, a bound that was met, nonsense such as 1/0."""
        self._sandbox.budget.begin()
        said, length = [], 0
        try:
            for piece in self._template.generate(names):
                length += len(piece)
                if length > TEXT_MOST:
                    raise SecurityError(f"it says more than {TEXT_MOST:,} characters")
                self._sandbox.budget.tick()
                said.append(piece)
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            raise Invalid(f"template {self.shown!r}: {_told(error)}") from None
        return "".join(said).strip()

    def value(self, **names: Any) -> float | str:
        """What it says, as a number where it is one."""
        said = self.text(**names)
        try:
            number = float(said)
        except ValueError:
            return said
        return number if abs(number) <= 1e15 else said

    def true(self, **names: Any) -> bool:
        """Whether it says so: true, yes, on, or a number that is not 0."""
        said = self.text(**names).lower()
        if said in ("true", "yes", "on", "false", "no", "off", "none", ""):
            return said in ("true", "yes", "on")
        try:
            return float(said) != 0
        except ValueError:
            raise Invalid(f"template {self.shown!r} says {said[:40]!r}; expected true or false") from None

    @property
    def shown(self) -> str:
        """Its beginning, for messages."""
        return self.source if len(self.source) <= 60 else self.source[:57] + "…"


def _asks(tree: nodes.Node) -> Iterator[tuple[str, str]]:
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.args and isinstance(call.args[0], nodes.Const):
            yield call.node.name, str(call.args[0].value)


def _told(error: BaseException) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]
