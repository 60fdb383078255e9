"""The built-in page and its sign-in form: a few files, sent as they are."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from ohmstead.core.errors import Invalid, NotFound, Rejected
from ohmstead.core.route import ANYONE, Call, Reply, Route
from ohmstead.web.access import SESSION_S, Access

FOLDER = Path(__file__).parent / "page"
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "sign-in.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "alerts.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PROBLEM = b"<!--problem-->"
TAGS = ("page",)


class Pages:
    """The page for whoever is signed in, the form for whoever is not."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._files: dict[str, bytes] = {}

    async def index(self, call: Call) -> Reply:
        """The page, or the form in its place."""
        return self._file("index.html" if call.who.may("read") else "sign-in.html")

    async def sign_in(self, call: Call) -> Reply:
        """What the form sends: the owner's token becomes a cookie."""
        cookie = self._access.sign_in(_token(call.raw), call.address)
        secure = "; Secure" if call.headers.get("Origin", "").startswith("https:") else ""
        return _home(f"{self._access.cookie}={cookie}; Max-Age={SESSION_S}; Path=/; HttpOnly; SameSite=Strict{secure}")

    def refused(self, error: Exception) -> Reply:
        """The form again, with what was wrong."""
        form = self._file("sign-in.html")
        problem = f'<p class="problem" role="alert">{escape(str(error))}</p>'.encode()
        status = error.status if isinstance(error, Rejected) else 500
        return Reply(form.data.replace(PROBLEM, problem), status, form.headers, form.content_type)

    async def sign_out(self, call: Call) -> Reply:
        """End the sign-in."""
        self._access.sign_out(call.headers)
        return _home(f"{self._access.cookie}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict")

    async def asset(self, call: Call) -> Reply:
        """One of the page's files."""
        if call.path["name"] not in TYPES:
            raise NotFound("there is no such file")
        return self._file(call.path["name"])

    def _file(self, name: str) -> Reply:
        if name not in self._files:
            self._files[name] = (FOLDER / name).read_bytes()
        return Reply(self._files[name], 200, {"Content-Security-Policy": POLICY}, TYPES[name])

    def routes(self) -> list[Route]:
        """All of it is open: it holds no data, only what everybody can read in the source."""
        page = {"absolute": True, "envelope": False, "tags": TAGS}
        return [
            Route("GET", "/", self.index, ANYONE, "The page", **page),  # type: ignore[arg-type]
            Route("GET", "/page/{name}", self.asset, ANYONE, "A file of the page", **page),  # type: ignore[arg-type]
            Route("POST", "/sign-out", self.sign_out, ANYONE, "Sign out", **page),  # type: ignore[arg-type]
            Route("POST", "/login", self.sign_in, ANYONE, "Sign in", takes="bytes", max_body=4096, on_error=self.refused, **page),  # type: ignore[arg-type]
        ]  # fmt: skip


def _token(form: bytes) -> str:
    try:
        return parse_qs(form.decode("ascii"), strict_parsing=True, max_num_fields=5)["token"][0].strip()
    except (ValueError, KeyError):
        raise Invalid("the form has no token in it") from None


def _home(cookie: str) -> Reply:
    return Reply(status=303, headers={"Location": "/", "Set-Cookie": cookie})
