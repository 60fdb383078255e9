"""Whether the hub lives, and whether it is ready to serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.route import ANYONE, Call, Reply, Route


class Probe(msgspec.Struct, frozen=True):
    """One thing to look at. `look` says what is wrong with it, None when nothing is; not `required`: only shown."""

    name: str
    look: Callable[[], str | None]
    required: bool = True


class Health:
    """Answers /health and /ready, the only two that need no sign-in."""

    def __init__(self) -> None:
        self.probes: list[Probe] = []
        self.serving = False

    async def health(self, call: Call) -> Any:
        """The loop turns, and that is all this says."""
        return {"status": "ok"}

    async def ready(self, call: Call) -> Any:
        """Whether everything required is there; 503 says what is not."""
        checks = [self._look(probe) for probe in (Probe("web", self._web), *self.probes)]
        ready = all(check["ok"] for check in checks if check["required"])
        return Reply({"ready": ready, "checks": {check.pop("name"): check for check in checks}}, status=200 if ready else 503)

    def _web(self) -> str | None:
        return None if self.serving else "it is stopping"

    def _look(self, probe: Probe) -> dict[str, Any]:
        wrong = probe.look()
        return {"name": probe.name, "ok": wrong is None, "required": probe.required, "message": wrong}

    def routes(self) -> list[Route]:
        """Both, at the root for orchestrators and below /api/v1 for clients of the API."""
        found = []
        for absolute in (True, False):
            found.append(Route("GET", "/health", self.health, ANYONE, "Whether the hub lives", absolute=absolute, tags=("health",)))
            found.append(Route("GET", "/ready", self.ready, ANYONE, "Whether the hub is ready", absolute=absolute, tags=("health",)))
        return found
