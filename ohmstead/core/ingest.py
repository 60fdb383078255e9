"""The one way in: every source's decoded readings are validated, become state, and go to the writer.

A source makes a Batch, adds what it decoded, and sends it. Once the batch is committed its `settled` callbacks run on
the event loop: only then may the source acknowledge. What is refused goes to the dead letters, in the same commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ohmstead.core.bus import Bus
from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, Clock
from ohmstead.core.errors import Rejected, Unavailable
from ohmstead.core.events import DeadLettered, PricesHeard, SeriesAdded
from ohmstead.core.model import DeadLetter, Note, Prices, Row, Series, State
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.core.states import States

log = logging.getLogger(__name__)

TEXT, DELTA = Kind.TEXT, Kind.DELTA  # looking a member up in its enumeration costs more than all else in `Batch.add`
FUTURE_MS = 5 * 60_000  # how far ahead of the hub's clock a reading may be
MAX_SERIES_PER_DEVICE = 500
RAW_LIMIT = 64_000  # bytes of a refused message that are kept

Decoder = Callable[["Batch", str, bytes], None]
Settled = Callable[[Exception | None], None]
Offer = tuple["Feed", str, Any, int]  # whose value, of which quantity, and when


class Feed:
    """What ingest keeps of one device: its series, its own ranges, and when it was last heard."""

    __slots__ = ("device", "heard_ms", "online", "ranges", "series")

    def __init__(self, device: str, ranges: Mapping[str, tuple[float, float]] | None = None) -> None:
        self.device = device
        self.ranges = ranges or {}
        self.series: dict[str, Series] = {}
        self.heard_ms = 0
        self.online = False  # kept by the registry; while False, hearing the device is reported to it


class Registry(Protocol):
    """What ingest asks of the devices' registry."""

    def admit(self, device: str, source: str) -> Feed:
        """The feed of a device, made on the spot where auto-registration allows it; Rejected with the reason where not."""

    def heard(self, feed: Feed, now_ms: int) -> None:
        """A device whose feed is not `online` was heard: it may be so now."""


class Store(Protocol):
    """What ingest asks of the storage."""

    def put(self, batch: Batch) -> None:
        """Queue a batch, never blocking; after its commit call `batch.settle(None)` on the event loop."""

    def has_room(self) -> bool:
        """Whether the queue is below its bound."""

    async def room(self) -> None:
        """Wait until the queue is below its bound."""


class Batch:
    """What one source hands over at once. `live` is False for imports, which never touch the live state."""

    __slots__ = (
        "_ingest", "_latest_ms", "_settled", "conflicts", "deltas", "format", "letters", "live", "notes", "now_ms", "rows", "source",
        "texts",
    )  # fmt: skip

    def __init__(self, ingest: Ingest, source: str, format: str, live: bool = True) -> None:  # noqa: A002
        self._ingest = ingest
        self._settled: list[Settled] = []
        self.source = source
        self.format = format
        self.live = live
        self.now_ms = ingest.clock.now_ms()
        self._latest_ms = self.now_ms + FUTURE_MS
        self.rows: list[Row] = []  # gauges and counters
        self.deltas: list[Row] = []
        self.texts: list[Row] = []
        self.letters: list[DeadLetter] = []
        self.notes: list[Note] | None = None  # few readings have any
        self.conflicts: list[Row] = []  # filled by the writer: the instant holds another value already

    def feed(self, device: str, heard: bool = True) -> Feed:
        """The feed of a device; Rejected when the house does not take it in. `heard` False: not the device itself spoke just now."""
        return self._ingest.feed(device, self.source, self.now_ms if heard and self.live else None)

    def feeds(self, devices: Iterable[str]) -> list[Feed]:
        """The same for many devices that were heard just now."""
        known, found = self._ingest.feeds, []
        for device in devices:
            feed = known.get(device)
            if feed is None or not feed.online or not self.live:
                feed = self.feed(device)
            else:
                feed.heard_ms = self.now_ms
            found.append(feed)
        return found

    def add(self, feed: Feed, quantity: str, value: Any, at_ms: int | None = None, from_ms: int | None = None) -> str | None:
        """Take one value in its canonical unit; None when it was taken, else the reason it was not.

        `at_ms` None means now. `from_ms` begins the period of a delta and must be given for those alone.
        """
        series = feed.series.get(quantity)
        if series is None:
            try:
                series = self._ingest.series(feed, quantity)
            except Rejected as refusal:
                return str(refusal)
        if at_ms is None:
            at_ms = self.now_ms
        elif not EARLIEST_MS <= at_ms <= self._latest_ms and (wrong := self._wrong_time(at_ms)):
            return wrong
        kind = series.kind
        if kind is TEXT:
            if not isinstance(value, str):
                return f"{quantity} is a text, not {value!r}"
            self.texts.append(Row(series, at_ms, value))
            return None
        if value.__class__ is not float:
            if value.__class__ is not int:
                return f"{quantity} must be a number, not {show(value)}"
            try:
                value = float(value)
            except OverflowError:
                return f"{quantity} is no number of this world"
        if not series.low <= value <= series.high:
            return f"{quantity} {value:g} {series.unit} is outside {series.low:g} … {series.high:g}"
        if kind is DELTA:
            if from_ms is None or not EARLIEST_MS <= from_ms < at_ms:
                return f"{quantity} needs the start of its period, before its end"
            self.deltas.append(Row(series, at_ms, value, from_ms))
        else:
            self.rows.append(Row(series, at_ms, value))
        return None

    def add_plain(self, offered: Iterable[Offer]) -> bool:
        """Take numbers at once, for a fraction of what `add` costs each; False, and none is taken, when it must look at one of them."""
        rows: list[Row] = []
        append, latest_ms = rows.append, self._latest_ms
        for feed, quantity, value, at_ms in offered:
            series = feed.series.get(quantity)
            if series is None or not series.plain or not EARLIEST_MS <= at_ms <= latest_ms:
                return False
            if value.__class__ is float and series.low <= value <= series.high:
                append(Row(series, at_ms, value))
            elif value.__class__ is int and series.low <= value <= series.high:
                append(Row(series, at_ms, float(value)))
            else:
                return False
        self.rows += rows
        return True

    def _wrong_time(self, at_ms: int) -> str | None:
        """Why an instant is refused that is in the future or before all calendars; None when the clock may be the one that is wrong."""
        if not EARLIEST_MS <= at_ms < LATEST_MS:
            return "time is in no calendar"
        return f"time is {(at_ms - self.now_ms) / 60_000:.0f} min in the future" if self._ingest.clock.trusted else None

    def note(self, feed: Feed, quantity: str, at_ms: int, sampled_ms: int | None = None, flags: str | None = None) -> None:
        """Keep what a reading that was taken says beside its value, with the reading if that is new.

        `flags` is printable: a note that no database takes would hold up the readings beside it.
        """
        if self.notes is None:
            self.notes = []
        self.notes.append(Note(feed.series[quantity], at_ms, sampled_ms, flags))

    def seed(self, feed: Feed, quantity: str, value: Any) -> str | None:
        """Fill an empty state with a value that has no time of its own (a retained message); it is never stored."""
        probe = Batch(self._ingest, self.source, self.format, self.live)
        reason = probe.add(feed, quantity, value)
        if reason is None:
            for row in (*probe.rows, *probe.texts):
                self._ingest.states.seed(row.series, row.value, self.now_ms)
        return reason

    def refuse(self, reason: str, raw: bytes, address: str = "", device: str | None = None, format: str | None = None) -> None:  # noqa: A002
        """Put aside what cannot be taken, in a form that `format` (the batch's own unless given) can replay."""
        self.letters.append(
            DeadLetter(
                format=format or self.format, address=address, source=self.source, reason=reason,
                raw=raw[:RAW_LIMIT], at_ms=self.now_ms, device=device,
            )
        )  # fmt: skip

    def on_settled(self, callback: Settled) -> None:
        """Call back on the event loop once the batch is committed (None) or given up for good (the error)."""
        self._settled.append(callback)

    def settle(self, error: Exception | None) -> None:
        """The writer's word that the batch is committed, or why it never will be."""
        for callback in self._settled:
            callback(error)

    @property
    def size(self) -> int:
        """Rows and letters in it."""
        return len(self.rows) + len(self.deltas) + len(self.texts) + len(self.letters)


class Ingest:
    """Validates, keeps the live state, and hands on to the writer. Belongs to the event loop's thread."""

    def __init__(self, bus: Bus, states: States, clock: Clock, quantities: Quantities, store: Store, registry: Registry) -> None:
        self.bus = bus
        self.states = states
        self.clock = clock
        self.quantities = quantities
        self._store = store
        self._registry = registry
        self.feeds: dict[str, Feed] = {}
        self.decoders: dict[str, Decoder] = {}
        self.readings = 0
        self.refused = 0
        self.batches = 0

    def decoder(self, format: str, decode: Decoder) -> None:  # noqa: A002
        """Name the function that decodes a format, so that its dead letters can be replayed."""
        self.decoders[format] = decode

    def batch(self, source: str, format: str, live: bool = True) -> Batch:  # noqa: A002
        """An empty batch. `source` is where it comes from, for people; `format` names its decoder."""
        return Batch(self, source, format, live)

    def feed(self, device: str, source: str, heard_ms: int | None = None) -> Feed:
        """The feed of a device; Rejected when the registry does not admit it. `heard_ms` says it was heard then."""
        feed = self.feeds.get(device)
        if feed is None:
            feed = self.feeds[device] = self._registry.admit(device, source)
        if heard_ms is not None:
            feed.heard_ms = heard_ms
            if not feed.online:
                self._registry.heard(feed, heard_ms)
        return feed

    def drop(self, device: str) -> None:
        """Forget a feed, because its device changed or left; the next message asks the registry anew."""
        self.feeds.pop(device, None)

    def series(self, feed: Feed, quantity: str) -> Series:
        """The series of a device's quantity; Rejected for an unknown quantity or one too many."""
        series = feed.series.get(quantity)
        if series is None:
            known = self.quantities.get(quantity)
            if known is None:
                raise Rejected(f"unknown quantity {quantity[:64]!r}")
            if len(feed.series) >= MAX_SERIES_PER_DEVICE:
                raise Rejected(f"device {feed.device} has {MAX_SERIES_PER_DEVICE} quantities already")
            low, high = feed.ranges.get(quantity, (known.low, known.high))
            series = feed.series[quantity] = Series(feed.device, known, low, high)
            self.bus.publish(SeriesAdded(series))
        return series

    def send(self, batch: Batch) -> None:
        """Move the live state and queue the batch for the writer. Never blocks: mind `room` before you decode much."""
        if batch.live:
            set_state, now_ms = self.states.set, batch.now_ms
            for row in batch.rows:
                set_state(row.series, row.value, row.at_ms, now_ms)
            for row in batch.texts:
                set_state(row.series, row.value, row.at_ms, now_ms)
        self.batches += 1
        self.readings += len(batch.rows) + len(batch.deltas) + len(batch.texts)
        if batch.letters:
            self.refused += len(batch.letters)
            self.bus.publish(DeadLettered(batch.source, batch.letters[0].reason, len(batch.letters)))
        self._store.put(batch)

    def hear(self, prices: Prices, device: str, source: str) -> None:
        """Prices that a device gives: it lives, and whoever keeps prices hears of them. Rejected like `feed`."""
        self.feed(device, source, self.clock.now_ms())
        self.bus.publish(PricesHeard(prices.series or device, prices, source))

    async def store(self, batch: Batch, within_s: float = 10.0) -> None:
        """Send a batch and wait for its commit. Unavailable when that takes longer: the sender should try again."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settled(error: Exception | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        batch.on_settled(settled)
        self.send(batch)
        try:
            await self.clock.timeout(done, within_s)
        except TimeoutError:
            raise Unavailable("storage does not keep up; send it again", retry_after_s=5) from None

    async def room(self, within_s: float | None = None) -> None:
        """Wait until the writer's queue is below its bound; Unavailable after `within_s`."""
        if self._store.has_room():
            return
        if within_s is None:
            await self._store.room()
            return
        try:
            await self.clock.timeout(self._store.room(), within_s)
        except TimeoutError:
            raise Unavailable("storage does not keep up; try again", retry_after_s=5) from None

    def restore(self, state: State) -> None:
        """Put back a state after a restart."""
        self.states.restore(state)


def show(value: Any) -> str:
    """A value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
