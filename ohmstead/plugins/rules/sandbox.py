"""Jinja2 in its sandbox, bounded in time, steps, memory and output.

What a template may use is listed, not what it may not: expressions, `if`, `for` and `set`; a few filters, tests and
methods of texts; the functions of the house. Everything that can grow is measured before it does: sums and joins of
texts and lists, products, powers. Loops and calls count steps and look at the clock: at the time the thread computed,
so that no template fails because the machine has much else to do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.filters import do_round
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEXT_MOST = 10_000  # characters of any text it makes, and of what it says
ITEMS_MOST = 10_000  # of any list
STEPS_MOST = 20_000  # rounds of loops and calls
BITS_MOST = 1_024  # of a whole number
WITHIN_S = 0.05  # of computing

FILTERS = ("abs", "int", "float", "min", "max", "length", "count", "list", "sort", "unique", "first", "last", "lower", "upper",
           "title", "capitalize", "trim", "default", "d", "map", "select", "reject", "selectattr", "rejectattr", "reverse")  # fmt: skip
METHODS = ("lower", "upper", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "title", "capitalize", "isdigit", "count",
           "find", "get", "items", "keys", "values")  # fmt: skip
NODES = (nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends,
         nodes.Block, nodes.Dict, nodes.ScopedEvalContextModifier)  # fmt: skip


class Budget:
    """What one rendering may still use."""

    __slots__ = ("steps", "until")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Anew."""
        self.steps, self.until = 0, time.thread_time() + WITHIN_S

    def tick(self) -> None:
        """One step more. SecurityError when there were too many, or when it takes too long."""
        self.steps += 1
        if self.steps > STEPS_MOST:
            raise SecurityError(f"it takes more than {STEPS_MOST:,} steps")
        if time.thread_time() > self.until:
            raise SecurityError(f"it computes for longer than {WITHIN_S * 1000:.0f} ms")

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, each of which is a step."""
        for item in items:
            self.tick()
            yield item


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox with every operation bounded."""

    intercepted_binops = frozenset("+-*/%") | {"//", "**"}

    def __init__(self, functions: Mapping[str, Any]) -> None:
        super().__init__(undefined=StrictUndefined, optimized=False, cache_size=0, finalize=_plain)  # folding would not be bounded
        self.budget = Budget()
        self._ours = frozenset(id(function) for function in functions.values() if callable(function))
        known = self.filters
        self.filters = {name: known[name] for name in FILTERS} | {"sum": self._sum, "join": self._join, "round": _round}
        self.globals = {**functions, "range": self._range, "_each": self.budget.each, "_text": _text, "_list": _list}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for banned in NODES:
            for node in tree.find_all(banned):
                raise TemplateSyntaxError(f"{type(node).__name__.lower()} is nothing a rule's template can have", node.lineno)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Call(nodes.Name("_each", "load"), [loop.iter], [], None, None, lineno=loop.lineno)
            loop.recursive = False
        _replace(tree)
        tree.set_environment(self)
        return tree

    def is_safe_callable(self, obj: Any) -> bool:
        if id(obj) in self._ours or obj in (self._range, self.budget.each, _text, _list):
            return True
        return isinstance(getattr(obj, "__self__", None), str | dict) and getattr(obj, "__name__", "") in METHODS

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.budget.tick()
        if not self.is_safe_callable(obj):
            raise SecurityError(f"{getattr(obj, '__name__', 'this')} is nothing a template can call")
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self.budget.tick()
        if operator in "+*%" or operator == "**":
            _bounded(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def _range(self, *bounds: int) -> range:
        found = range(*bounds)
        if len(found) > ITEMS_MOST:
            raise SecurityError(f"a range has more than {ITEMS_MOST:,} numbers")
        return found

    def _sum(self, items: Iterable[Any], start: float = 0) -> Any:
        for item in self.budget.each(items):
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise SecurityError("only numbers can be summed up")
            start += item
        return start

    def _join(self, items: Iterable[Any], by: str = "") -> str:
        return _short([str(_plain(item)) for item in self.budget.each(items)], str(_plain(by)))


def _replace(tree: nodes.Node) -> None:
    """`a ~ b` and `[a, b]` become calls that measure: Jinja2 offers no other place to look."""
    for parent in [tree, *tree.find_all(nodes.Node)]:
        for name, value in parent.iter_fields():
            if isinstance(value, nodes.Node):
                setattr(parent, name, _measured(value))
            elif isinstance(value, list):
                setattr(parent, name, [_measured(item) if isinstance(item, nodes.Node) else item for item in value])


def _measured(node: nodes.Node) -> nodes.Node:
    if isinstance(node, nodes.Concat):
        return _called("_text", node.nodes, node)
    if isinstance(node, nodes.List) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return _called("_list", node.items, node)
    return node


def _called(name: str, arguments: list[nodes.Expr], node: nodes.Node) -> nodes.Call:
    return nodes.Call(nodes.Name(name, "load"), arguments, [], None, None, lineno=node.lineno)


def _text(*parts: Any) -> str:
    """`a ~ b`."""
    return _short([str(_plain(part)) for part in parts], "")


def _list(*items: Any) -> list[Any]:
    """`[a, b]`. Lists in lists would double and double, and so would the time to compare them."""
    return [_plain(item) for item in items]


def _plain(value: Any) -> Any:
    """A value that is no collection of others."""
    if isinstance(value, str | int | float | bool | Undefined) or value is None:
        return value
    if isinstance(value, Iterable):
        raise SecurityError("a list is nothing to be said or put into another; use join, first or length")
    return value


def _round(value: Any, digits: int = 0, method: str = "common") -> float:
    return float(do_round(value, max(-15, min(digits, 15)), method))  # type: ignore[arg-type]


def _short(parts: list[str], by: str) -> str:
    if sum(map(len, parts)) + len(by) * len(parts) > TEXT_MOST:
        raise SecurityError(f"a text has more than {TEXT_MOST:,} characters")
    return by.join(parts)


def _bounded(operator: str, left: Any, right: Any) -> None:
    """SecurityError when the result would be too large."""
    sized = [side for side in (left, right) if isinstance(side, str | list | tuple)]
    if operator == "%" and isinstance(left, str):
        raise SecurityError("texts are put together with ~, not with %")
    if operator == "+" and len(sized) == 2 and len(left) + len(right) > ITEMS_MOST:
        raise SecurityError(f"a sum has more than {ITEMS_MOST:,} parts")
    if operator == "*" and sized:
        raise SecurityError("texts and lists cannot be multiplied")
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(right, 0) if operator == "**" else left.bit_length() + right.bit_length()
        if operator in ("*", "**") and bits > BITS_MOST:
            raise SecurityError(f"a whole number has more than {BITS_MOST} bits")
