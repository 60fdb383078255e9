"""`/invoices`: what suppliers billed, and how it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.billing.reconcile import letter
from ohmstead.plugins.billing.reconcile.diagnosis import Reconciliation
from ohmstead.plugins.billing.reconcile.invoice import shown
from ohmstead.plugins.billing.reconcile.invoices import Invoices
from ohmstead.plugins.billing.reconcile.schemas import INVOICE

if TYPE_CHECKING:
    from ohmstead.plugins.billing.reconcile.reconciler import Reconciler

FORMS = {"csv": ("text/csv; charset=utf-8", letter.as_csv), "text": ("text/plain; charset=utf-8", letter.as_text),
         "html": ("text/html; charset=utf-8", letter.as_html)}  # fmt: skip
FORM: dict[Any, Any] = {
    vol.Optional("format", default="json", description="json; or csv, text, html to send to the supplier"):
        validate.one_of("json", *FORMS),
}  # fmt: skip
PAGE: dict[Any, Any] = {
    vol.Optional("contract", description="only those of this contract"): validate.slug,
    vol.Optional("limit", default=100, description="at most so many"): validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.slug,
}


class InvoiceRoutes:
    """The operations on invoices."""

    def __init__(self, invoices: Invoices, reconciler: Reconciler) -> None:
        self._invoices, self._reconciler = invoices, reconciler

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        tags, one, check = ("invoices",), "/invoices/{id}", "Compare an invoice without keeping it"
        return [
            Route("GET", "/invoices", self.listing, "read", "Invoices, in order of their ids", query=PAGE, tags=tags),
            Route("POST", "/invoices", self.make, "write", "Enter an invoice", body=INVOICE, status=201, tags=tags),
            Route("POST", "/invoices/check", self.check, "read", check, body=INVOICE, query=FORM, tags=tags),
            Route("GET", one, self.one, "read", "One invoice", tags=tags),
            Route("PUT", one, self.change, "write", "Enter an invoice anew", body=INVOICE, tags=tags),
            Route("DELETE", one, self.remove, "write", "Forget an invoice", tags=tags),
            Route("GET", f"{one}/reconciliation", self.reconcile, "read", "What differs and why", query=FORM, tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of invoices."""
        limit = call.query["limit"]
        found = await self._invoices.listing(call.query.get("contract"), call.query.get("cursor"), limit + 1)
        return Reply(found[:limit], next_cursor=found[limit - 1]["id"] if len(found) > limit else None)

    async def make(self, call: Call) -> Reply:
        """Enter one."""
        made = self._invoices.checked(call.body)
        await self._invoices.add(made, call.who.id)
        return Reply(shown(made), status=201)

    async def one(self, call: Call) -> dict[str, Any]:
        """One invoice."""
        return shown(await self._invoices.get(call.path["id"]))

    async def change(self, call: Call) -> dict[str, Any]:
        """Another text for one."""
        if call.body["id"] != call.path["id"]:
            raise Invalid("id: an invoice keeps its id", [{"path": "id", "message": f"expected {call.path['id']!r}"}])
        made = self._invoices.checked(call.body)
        await self._invoices.change(made)
        return shown(made)

    async def remove(self, call: Call) -> dict[str, Any]:
        """Forget one."""
        await self._invoices.remove(call.path["id"])
        return {"id": call.path["id"], "removed": True}

    async def check(self, call: Call) -> Reply:
        """Compare without keeping."""
        return _reply(await self._reconciler.reconcile(self._invoices.checked(call.body)), call.query["format"])

    async def reconcile(self, call: Call) -> Reply:
        """Compare one that is kept."""
        return _reply(await self._reconciler.reconcile(await self._invoices.get(call.path["id"])), call.query["format"])


def _reply(found: Reconciliation, form: str) -> Reply:
    if form == "json":
        return Reply(letter.as_json(found))
    content_type, write = FORMS[form]
    return Reply(write(found), content_type=content_type)
