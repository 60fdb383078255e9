"""Sends what changed to many sockets: encoded and framed once, the newest of each, never faster than a socket takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from itertools import islice

from ohmstead.web import frame

PAUSE_S = 0.05  # between two rounds; a lone change goes out at once
SHARE = 4  # after a round that took long, so many times that long belongs to others
AT_ONCE = 150  # changes framed in one turn of the loop: a millisecond or two
FULL = 64 * 1024  # bytes a socket has not taken, from which it gets only the newest of each

Wanted = frozenset[str] | None  # devices; None: all
Due = dict[Hashable, bytes]


class Client:
    """One open socket. `late` is what a slow one missed: the newest frame of each key; None while it keeps up."""

    __slots__ = ("devices", "everything", "generation", "group", "late", "locations", "quiet", "transport")

    def __init__(self, transport: asyncio.Transport, generation: int) -> None:
        self.transport = transport
        self.generation = generation
        self.group: Group | None = None
        self.everything = False
        self.devices: set[str] = set()
        self.locations: set[str] = set()
        self.late: Due | None = None
        self.quiet = 0  # heartbeats without an answer

    def is_full(self) -> bool:
        """Whether the other side does not take what it has been sent."""
        return self.transport.get_write_buffer_size() > FULL


class Group:
    """The clients that want the same devices: what is due to them is put together once."""

    __slots__ = ("clients", "due", "wanted")

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.clients: set[Client] = set()
        self.due: Due = {}


class Fanout:
    """Collects changes by key, and sends them in rounds."""

    def __init__(self, encode: Callable[[object], bytes]) -> None:
        self._encode = encode
        self._groups: dict[Wanted, Group] = {}
        self._by_device: dict[str, set[Group]] = {}
        self._changed: dict[Hashable, tuple[str, object]] = {}
        self._going: dict[Hashable, tuple[str, object]] = {}  # the rest of the round under way
        self._began = 0.0
        self._lagging: set[Client] = set()
        self._timer: asyncio.Handle | None = None
        self._free_at = 0.0

    def __len__(self) -> int:
        return len(self._groups)

    def move(self, client: Client, wanted: Wanted) -> None:
        """Let a client have these devices from now on."""
        self.drop(client)
        if wanted is not None and not wanted:
            return
        group = self._groups.get(wanted)
        if group is None:
            group = self._groups[wanted] = Group(wanted)
            for device in wanted or ():
                self._by_device.setdefault(device, set()).add(group)
        group.clients.add(client)
        client.group = group

    def drop(self, client: Client) -> None:
        """Send a client nothing more."""
        self._lagging.discard(client)
        client.late = None
        group, client.group = client.group, None
        if group is None:
            return
        group.clients.discard(client)
        if not group.clients:
            del self._groups[group.wanted]
            for device in group.wanted or ():
                groups = self._by_device[device]
                groups.discard(group)
                if not groups:
                    del self._by_device[device]

    def put(self, key: Hashable, device: str, change: object) -> None:
        """A change of a device; within a round the newest of a key replaces the others."""
        self._changed[key] = (device, change)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            wait_s = self._free_at - loop.time()
            self._timer = loop.call_soon(self._round) if wait_s <= 0 else loop.call_later(wait_s, self._round)

    def stop(self) -> None:
        """No more rounds."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self) -> None:
        """Send what had changed when the round began, a slice in each turn of the loop; then pause."""
        loop = asyncio.get_running_loop()
        if not self._going:
            self._going, self._changed, self._began = self._changed, {}, loop.time()
        for group in self._plan():
            self._send(group)
        if self._going:
            self._timer = loop.call_soon(self._round)
            return
        self._catch_up()
        ended = loop.time()
        self._free_at = ended + max(PAUSE_S, SHARE * (ended - self._began))
        self._timer = loop.call_at(self._free_at, self._round) if self._changed or self._lagging else None

    def _plan(self) -> set[Group]:
        """Frame the next changes that anybody wants, once, and give each to the groups that do."""
        everything = self._groups.get(None)
        touched = set() if everything is None else {everything}
        for key in list(islice(self._going, AT_ONCE)):
            device, change = self._going.pop(key)
            groups = self._by_device.get(device, ())
            if not groups and everything is None:
                continue
            framed = frame.text(self._encode(change))
            if everything is not None:
                everything.due[key] = framed
            for group in groups:
                group.due[key] = framed
                touched.add(group)
        return touched

    def _send(self, group: Group) -> None:
        due, group.due = group.due, {}
        together = b"".join(due.values())
        for client in group.clients:
            transport = client.transport
            if client.late is not None:
                client.late.update(due)
            elif transport.get_write_buffer_size() > FULL:
                client.late = dict(due)
                self._lagging.add(client)
            elif not transport.is_closing():
                transport.write(together)

    def _catch_up(self) -> None:
        for client in [client for client in self._lagging if not client.is_full()]:
            self._lagging.discard(client)
            late, client.late = client.late, None
            if late and not client.transport.is_closing():
                client.transport.write(b"".join(late.values()))
