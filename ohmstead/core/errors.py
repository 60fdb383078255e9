"""Errors, named by what happens next.

Inside the hub: ConfigError (tell the user, do not start), Unavailable (retry with backoff), Refused (credentials:
stop and tell the user), Unsupported, PluginError (name it, drop it, go on). Towards a caller of the API: the
children of Rejected, each with its own HTTP status and code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class OhmsteadError(Exception):
    """Anything Ohmstead raises on purpose; its text is meant for people."""


class ConfigError(OhmsteadError):
    """The configuration is wrong. One line per mistake: where · what · what would be right."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class Unavailable(OhmsteadError):
    """Not there right now: a device, a broker, the database. Try again, after `retry_after_s` when that is known."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unanswered(Unavailable):
    """The other side went away before it answered: nobody knows whether it did what was asked."""


class Refused(OhmsteadError):
    """The other side does not accept our credentials: trying again only locks the account."""


class Unsupported(OhmsteadError):
    """The device, unit or engine cannot do this."""


class PluginError(OhmsteadError):
    """A plugin misbehaved; the house goes on without it."""


class Rejected(OhmsteadError):
    """A request that cannot be granted; `details` name the places."""

    code: ClassVar[str] = "VALIDATION_ERROR"
    status: ClassVar[int] = 400

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.details = details


class Invalid(Rejected):
    """The request itself is wrong."""


class TooLarge(Rejected):
    """The request is larger than we take."""

    status = 413


class Unauthorized(Rejected):
    """Nobody we know sent this."""

    code, status = "UNAUTHORIZED", 401


class Forbidden(Rejected):
    """We know the sender, who may not do this."""

    code, status = "FORBIDDEN", 403


class NotFound(Rejected):
    """There is no such thing."""

    code, status = "NOT_FOUND", 404


class Conflict(Rejected):
    """It clashes with what is already there."""

    code, status = "CONFLICT", 409


class RateLimited(Rejected):
    """Too many attempts; wait `retry_after_s` seconds."""

    code, status = "RATE_LIMITED", 429

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
