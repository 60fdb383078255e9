"""What somebody does over the API, entered with the first thing that it writes.

Who handles a request knows nothing of the log: the operation is noted for the task it runs in, and the storage asks
here before each transaction of that task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ohmstead.core.events import OperationDone
from ohmstead.plugins.audit.entry import Entry
from ohmstead.plugins.audit.heard import operation

if TYPE_CHECKING:
    from ohmstead.plugins.storage.connection import AsyncConnection
    from ohmstead.plugins.storage.writer import Work


class UnderWay:
    """An operation, and whether the log has it, or need not have it any more."""

    __slots__ = ("entered", "entry")

    def __init__(self, entry: Entry | None) -> None:
        self.entry, self.entered = entry, entry is None


_UNDER_WAY: ContextVar[UnderWay | None] = ContextVar("operation under way", default=None)


class Operations:
    """Those under way. `enter` writes an entry in a transaction."""

    def __init__(self, enter: Callable[..., Awaitable[None]]) -> None:
        self._enter = enter

    @contextmanager
    def during(self, begun: OperationDone) -> Iterator[None]:
        """While this runs, the first transaction of this task carries the entry of what is done."""
        under_way = UnderWay(operation(begun))
        token = _UNDER_WAY.set(under_way)
        try:
            yield
        finally:
            under_way.entered = True  # tasks that it began and that outlive it do something else
            _UNDER_WAY.reset(token)

    @property
    def entered(self) -> bool:
        """Whether the operation that this task carries out is in the log already."""
        under_way = _UNDER_WAY.get()
        return under_way is not None and under_way.entered

    async def around(self, work: Work, write: Callable[[Work], Awaitable[Any]]) -> Any:
        """Have something written by `write`, with the entry of the operation under way unless that is there."""
        under_way = _UNDER_WAY.get()
        if under_way is None or under_way.entered:
            return await write(work)

        async def both(tx: AsyncConnection) -> Any:
            result = await work(tx)
            await self._enter(tx, under_way.entry)
            return result

        under_way.entered = True  # also for what this task writes at the same time
        try:
            return await write(both)
        except BaseException:
            under_way.entered = False
            raise
