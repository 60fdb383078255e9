"""The table of operations: which route answers a method and a path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from ohmstead.core.errors import ConfigError, NotFound
from ohmstead.core.route import Handler, Route
from ohmstead.web.intake import Intake

API = "/api/v1"
PARAMETER = re.compile(r"\{([a-z_]+)\}")
NO_PARAMETERS: Mapping[str, str] = {}


class MethodNotAllowed(NotFound):
    """The path is there, but not for this method; `allow` are those it has."""

    status = 405

    def __init__(self, method: str, allow: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allow))
        super().__init__(f"{method} is not possible here; possible are {self.allow}")


class Operation:
    """A route as the server holds it: its whole path, and its validators, made when they are first needed."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.template = route.path if route.absolute else API + route.path
        self.parameters = tuple(PARAMETER.findall(self.template))

    @cached_property
    def intake(self) -> Intake:
        """What validates the query and the body."""
        return Intake(self.route)

    @property
    def shape(self) -> tuple[str, str]:
        """What must be unique: method and path, whatever its parameters are called."""
        return self.route.method, PARAMETER.sub("{}", self.template)


class Node(msgspec.Struct):
    """One place in the tree of path segments."""

    children: dict[str, Node] = msgspec.field(default_factory=dict)
    any: Node | None = None
    operations: dict[str, Operation] = msgspec.field(default_factory=dict)


class Table:
    """Finds the operation of a request. It never changes: a reload makes another one."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """ConfigError names both routes where two claim the same method and path."""
        taken: dict[tuple[str, str], Operation] = {}
        problems = []
        for operation in map(Operation, routes):
            other = taken.setdefault(operation.shape, operation)
            if other is not operation:
                problems.append(_clash(other, operation))
        if problems:
            raise ConfigError(problems)
        self.operations = tuple(taken.values())
        self._exact: dict[str, dict[str, Operation]] = {}
        self._root = Node()
        for operation in self.operations:
            self._insert(operation)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def _insert(self, operation: Operation) -> None:
        if not operation.parameters:
            self._exact.setdefault(operation.template, {})[operation.route.method] = operation
        node = self._root
        for segment in operation.template.split("/"):
            if PARAMETER.fullmatch(segment):
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.children.setdefault(segment, Node())
        node.operations[operation.route.method] = operation

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
        """The operation and the values of its path parameters; NotFound, or MethodNotAllowed with the methods there are."""
        exact = self._exact.get(path)
        if exact is not None and method in exact:
            return exact[method], NO_PARAMETERS
        values: list[str] = []
        node = _walk(self._root, path.split("/"), 0, values)
        if node is None:
            raise NotFound(f"there is nothing at {path[:200]}")
        operation = node.operations.get(method) or (node.operations.get("GET") if method == "HEAD" else None)
        if operation is None:
            raise MethodNotAllowed(method, node.operations)
        return operation, dict(zip(operation.parameters, values, strict=True))


def _walk(node: Node, segments: list[str], at: int, values: list[str]) -> Node | None:
    """The node of a path; a literal segment goes before a parameter, which is never empty."""
    if at == len(segments):
        return node if node.operations else None
    segment = segments[at]
    child = node.children.get(segment)
    if child is not None and (found := _walk(child, segments, at + 1, values)) is not None:
        return found
    if node.any is None or not segment:
        return None
    values.append(segment)
    found = _walk(node.any, segments, at + 1, values)
    if found is None:
        values.pop()
    return found


def _clash(one: Operation, other: Operation) -> str:
    return f"{one.route.method} {one.template} is claimed by {origin(one.route.handler)} and by {origin(other.route.handler)}"


def origin(handler: Handler) -> str:
    """Where a handler is written: `package.module.function`."""
    return f"{getattr(handler, '__module__', '?')}.{getattr(handler, '__qualname__', repr(handler))}"
