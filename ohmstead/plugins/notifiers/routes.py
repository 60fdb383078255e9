"""`/notifications`: messages in the app, preferences, browsers, and the log of deliveries."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.notice import KINDS, Notice
from ohmstead.core.route import ANYONE, Call, Reply, Route
from ohmstead.plugins.notifiers import schemas
from ohmstead.plugins.notifiers.unsubscribe import PATH
from ohmstead.plugins.people.address import scheme, shown
from ohmstead.plugins.people.recipient import Recipient

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.notifiers.notifiers import Notifiers

TAGS = ("notifications",)
PATIENCE_S = 20.0  # how long a test waits for the end of its messages


class NotificationRoutes:
    """The operations."""

    def __init__(self, notifiers: Notifiers, clock: Clock) -> None:
        self._notifiers, self._clock = notifiers, clock
        self._people = notifiers.people

    def all(self) -> list[Route]:
        """With their schemas."""
        page = {"takes": "bytes", "max_body": 4096, "tags": TAGS}
        return [
            Route("GET", "/notifications", self.page, "read", "Messages in the app, newest first", query=schemas.LIST, tags=TAGS),
            Route("POST", "/notifications/{id}/read", self.read, "write", "Mark a message as read", tags=TAGS),
            Route("POST", "/notifications/read-all", self.read_all, "write", "Mark all as read", query=schemas.WHOSE, tags=TAGS),
            Route("GET", "/notifications/preferences", self.preferences, "read", "What people wish", tags=TAGS),
            Route("PUT", "/notifications/preferences/{person}", self.prefer, "write", "Change wishes; null goes back to the YAML",
                  body=schemas.CHOSEN, tags=TAGS),
            Route("POST", "/notifications/addresses/{key}/resume", self.resume, "write", "Use a paused address again",
                  body=schemas.ADDRESS, tags=TAGS),
            Route("GET", "/notifications/deliveries", self.deliveries, "read", "Messages, and how their delivery went",
                  query=schemas.DELIVERIES, tags=TAGS),
            Route("POST", "/notifications/test", self.test, "write", "Send a test, and wait up to 20 s for what becomes of it",
                  body=schemas.TEST, tags=TAGS),
            Route("GET", "/notifications/push", self.browsers, "read", "Browsers that subscribed", tags=TAGS),
            Route("GET", "/notifications/push/key", self.key, "read", "The key a browser subscribes with", tags=TAGS),
            Route("POST", "/notifications/push", self.subscribe, "write", "Subscribe a browser", body=schemas.SUBSCRIPTION, status=201,
                  tags=TAGS),
            Route("DELETE", "/notifications/push/{id}", self.leave, "write", "Unsubscribe a browser", tags=TAGS),
            Route("GET", PATH, self.ask, ANYONE, "Ask whether to unsubscribe", tags=TAGS),
            Route("POST", PATH, self.unsubscribe, ANYONE, "Unsubscribe, with the token of a message", **page),  # type: ignore[arg-type]
        ]  # fmt: skip

    async def page(self, call: Call) -> Reply:
        """A page of messages."""
        query = call.query
        found, more = await self._notifiers.inbox.page(query["limit"], query.get("cursor"), query.get("person"), query["unread"])
        return Reply(found, next_cursor=more)

    async def read(self, call: Call) -> dict[str, Any]:
        """Mark one as read."""
        return await self._notifiers.inbox.read(call.path["id"])

    async def read_all(self, call: Call) -> dict[str, int]:
        """Mark all as read."""
        return {"read": await self._notifiers.inbox.read_all(call.query.get("person"))}

    async def preferences(self, call: Call) -> list[dict[str, Any]]:
        """What everybody wishes."""
        return [await self._shown(who) for who in self._people]

    async def prefer(self, call: Call) -> dict[str, Any]:
        """Lay wishes over the YAML's; addresses that no message could be sent to are refused."""
        addresses = {address for some in (call.body.get("notify") or {}).values() for address in some}
        if mistakes := [wrong for address in sorted(addresses) if (wrong := await self._notifiers.mistake(address)) is not None]:
            raise Invalid("; ".join(mistakes), [{"path": "notify", "message": wrong} for wrong in mistakes])
        return await self._shown(await self._people.choose(call.path["person"], call.body))

    async def resume(self, call: Call) -> dict[str, str]:
        """Use an address again."""
        kind = call.body.get("kind")
        if kind is None:
            await self._notifiers.addresses.resume(call.path["key"])
        else:
            await self._notifiers.addresses.accept(call.path["key"], kind)
        return {"key": call.path["key"]}

    async def deliveries(self, call: Call) -> Reply:
        """A page of the log."""
        query = call.query
        log = self._notifiers.deliveries
        found, more = await log.page(query["limit"], query.get("cursor"), query.get("status"), query.get("recipient"))
        return Reply(found, next_cursor=more)

    async def test(self, call: Call) -> list[dict[str, Any]]:
        """Send a test, also in quiet hours."""
        if call.body["dry_run"]:
            return [{"recipient": who.id, "channel": self._notifiers.routing.name(address), "address": shown(address), "status": "not sent"}
                    for who in self._people.resolve(call.body["to"]) for address in who.addresses("system")]  # fmt: skip
        self._people.resolve(call.body["to"])
        body = "If you can read this, messages of the hub arrive here."
        sent = await self._notifiers.send(Notice("system", "Test of notifications", body, "critical", (call.body["to"],)))
        assert sent is not None  # it has no key
        return await self._notifiers.settled(sent, PATIENCE_S)

    async def browsers(self, call: Call) -> list[dict[str, Any]]:
        """Who subscribed."""
        return await self._notifiers.subscriptions.listing()

    async def key(self, call: Call) -> dict[str, str]:
        """The public key."""
        return {"key": await self._notifiers.push_key()}

    async def subscribe(self, call: Call) -> dict[str, str]:
        """Take in a browser."""
        person = self._people.person(call.body["person"]).id
        subscription = {"endpoint": call.body["endpoint"], "keys": call.body["keys"]}
        return {"id": await self._notifiers.subscriptions.add(person, subscription), "person": person}

    async def leave(self, call: Call) -> dict[str, str]:
        """Forget a browser."""
        await self._notifiers.subscriptions.remove(call.path["id"])
        return {"id": call.path["id"]}

    async def ask(self, call: Call) -> Reply:
        """A page with one button: mail servers look at links, and looking must change nothing."""
        kind = html.escape(self._notifiers.unsubscribe.kind(call.path["token"]))
        question = f"<p>No more messages of the kind <b>{kind}</b> to this address?</p>"
        return _page(f'{question}<form method="post"><button>Unsubscribe</button></form>')

    async def unsubscribe(self, call: Call) -> Reply:
        """Do it; the token says what."""
        kind = html.escape(await self._notifiers.unsubscribe.take(call.path["token"]))
        return _page(f"<p>Done: no more messages of the kind <b>{kind}</b> are sent to this address.</p>")

    async def _shown(self, who: Recipient) -> dict[str, Any]:
        keys = {address: self._people.vault.name(address) for address in who.everywhere()}
        known = await self._notifiers.addresses.look(keys.values())
        if who.person is None:
            raise NotFound(f"{who.id} is no person")
        addresses = []
        for address, key in keys.items():
            state = known.get(key)
            addresses.append({
                "key": key, "address": shown(address), "service": scheme(address),
                "kinds": [kind for kind in KINDS if address in who.addresses(kind)],
                "unsubscribed": sorted(state.refused) if state else [], "paused": state.reason if state else None,
            })  # fmt: skip
        return {
            "person": who.id, "name": who.name, "roles": list(who.roles[1:]), "notify": addresses,
            "quiet_hours": None if who.quiet is None else str(who.quiet), "digest": who.digest, "time_zone": who.zone.key,
            "chosen": self._people.chosen(who.id),
        }  # fmt: skip


def _page(content: str) -> Reply:
    return Reply(_PAGE.format(content), headers=_HEADERS, content_type="text/html; charset=utf-8")


_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>Ohmstead</title>'
    '<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 30em; margin: 3em auto; padding: 0 1em">{}</body></html>'
)
