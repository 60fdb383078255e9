"""The `mqtt:` part of the configuration."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import ConfigError

PORT, TLS_PORT = 1883, 8883
PROTOCOLS: Mapping[str, int] = {"5": 5, "5.0": 5, "3.1.1": 4, "4": 4, "311": 4}


def protocol(value: Any) -> int:
    """The MQTT version as its protocol level: 5, or 4 for 3.1.1."""
    found = None if isinstance(value, bool) else PROTOCOLS.get(str(value))
    if found is None:
        raise vol.Invalid('expected 5 or "3.1.1"')
    return found


def group(value: Any) -> str:
    """The name of a shared subscription's group."""
    if not isinstance(value, str) or not value or set(value) & set("/+#"):
        raise vol.Invalid("expected a name without /, + and #")
    return value


TLS = {
    vol.Optional("ca", description="file of the authority that signed the broker's certificate (default: the system's)"): validate.text,
    vol.Optional("cert", description="file of the hub's own certificate, where the broker asks for one"): validate.text,
    vol.Optional("key", description="file of that certificate's key"): validate.text,
    vol.Optional("insecure", default=False, description="true: take any certificate, which protects against nobody"): validate.boolean,
}  # fmt: skip

SCHEMA = {
    vol.Optional("broker", description='"embedded" runs a small broker inside the hub, for trying things out'): validate.one_of("embedded"),
    vol.Optional("host", description="address of the broker; of the embedded one, the address it listens on"): validate.host,
    vol.Optional("port", description="port of the broker (1883, with tls 8883)"): validate.port,
    vol.Optional("username", description="user name of the hub at the broker"): validate.text,
    vol.Optional("password", description="password of the hub at the broker"): validate.text,
    vol.Optional("tls", description="speak TLS; {} for the usual"): TLS,
    vol.Optional("protocol", default=5, description='MQTT version: 5 or "3.1.1"'): protocol,
    vol.Optional("shared", description="group of a shared subscription, where several hubs share the messages"): group,
}


class Tls(msgspec.Struct, frozen=True):
    """Certificates, as paths of files."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        """Read the files; ConfigError names the one that is wrong."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"mqtt → tls → ca: {self.ca} cannot be read: {_reason(error)}") from error
        if self.cert is not None:
            try:
                context.load_cert_chain(self.cert, self.key)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"mqtt → tls → cert, key: {self.cert} and {self.key} cannot be used: {_reason(error)}") from error
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


class Options(msgspec.Struct, frozen=True):
    """Which broker, and how it is spoken to. `protocol` is 5, or 4 for MQTT 3.1.1."""

    host: str = "127.0.0.1"
    port: int = PORT
    username: str | None = None
    password: str | None = None
    tls: Tls | None = None
    protocol: int = 5
    shared: str | None = None
    embedded: bool = False

    @property
    def place(self) -> str:
        """Where the broker is, for people."""
        return f"{self.host}:{self.port}"


def options(given: Mapping[str, Any], folder: Path) -> Options:
    """The options of a section that SCHEMA has checked; paths are meant from `folder`. ConfigError lists what clashes."""
    problems = list(_clashes(given))
    if problems:
        raise ConfigError(problems)
    if "broker" in given:
        return Options(given.get("host", "127.0.0.1"), given.get("port", PORT), protocol=4, embedded=True)
    tls = None if given.get("tls") is None else _tls(given["tls"], folder)
    return Options(
        given["host"], given.get("port", TLS_PORT if tls else PORT), given.get("username"), given.get("password"), tls,
        given.get("protocol", 5), given.get("shared"),
    )  # fmt: skip


def _clashes(given: Mapping[str, Any]) -> list[str]:
    if "broker" in given:
        wrong = [key for key in ("username", "password", "tls", "shared") if key in given]
        return [f"mqtt → {key}: the embedded broker has no such thing; remove it, or name a broker by host" for key in wrong]
    problems = [] if "host" in given else ['mqtt: where is the broker? Give host, or "broker: embedded"']
    if "password" in given and "username" not in given:
        problems.append("mqtt → password: needs a username")
    tls = given.get("tls") or {}
    if ("cert" in tls) != ("key" in tls):
        problems.append("mqtt → tls: cert and key go together")
    return problems


def _tls(given: Mapping[str, Any], folder: Path) -> Tls:
    paths = {key: folder / given[key] for key in ("ca", "cert", "key") if key in given}
    return Tls(**paths, insecure=given.get("insecure", False))
