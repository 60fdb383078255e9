"""The `mqtt:` part of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.protocols.mqtt import SCHEMA, Options, Tls, options

HOME = Path("/home/config")


def read(**given: Any) -> Options:
    return options(validate.options(SCHEMA, given), HOME)


def test_a_broker_by_host() -> None:
    assert read(host="broker.lan") == Options("broker.lan", 1883, protocol=5)
    everything = read(host="broker.lan", port=2883, username="u", password="p", protocol="3.1.1", shared="house")
    assert everything == Options("broker.lan", 2883, "u", "p", None, 4, "house")
    assert everything.place == "broker.lan:2883"


@pytest.mark.parametrize(("written", "level"), [(5, 5), ("5", 5), (5.0, 5), ("3.1.1", 4), (4, 4), ("4", 4), (311, 4)])
def test_the_protocol_as_people_write_it(written: Any, level: int) -> None:
    assert read(host="h", protocol=written).protocol == level


def test_tls() -> None:
    assert read(host="h", tls={}) == Options("h", 8883, tls=Tls())
    paths = read(host="h", port=1, tls={"ca": "ca.pem", "cert": "/etc/c.pem", "key": "c.key"})
    assert paths.tls == Tls(HOME / "ca.pem", Path("/etc/c.pem"), HOME / "c.key")
    assert read(host="h", tls={"insecure": True}).tls == Tls(insecure=True)


def test_the_embedded_broker() -> None:
    assert read(broker="embedded") == Options("127.0.0.1", 1883, protocol=4, embedded=True)
    assert read(broker="embedded", host="0.0.0.0", port=1884) == Options("0.0.0.0", 1884, protocol=4, embedded=True)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, ['mqtt: where is the broker? Give host, or "broker: embedded"']),
        ({"host": "h", "password": "p"}, ["mqtt → password: needs a username"]),
        ({"host": "h", "tls": {"cert": "c"}}, ["mqtt → tls: cert and key go together"]),
        (
            {"broker": "embedded", "username": "u", "password": "p", "tls": {}, "shared": "g"},
            [f"mqtt → {key}: the embedded broker has no such thing; remove it, or name a broker by host"
             for key in ("username", "password", "tls", "shared")],
        ),
    ],
)  # fmt: skip
def test_what_clashes_is_said_all_at_once(given: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**given)
    assert list(caught.value.problems) == problems


@pytest.mark.parametrize(
    "given",
    [{"host": "h", "protocol": 3}, {"host": "h", "protocol": True}, {"broker": "mosquitto"}, {"host": "http://h"},
     {"host": "h", "port": 0}, {"host": "h", "shared": "a/b"}, {"host": "h", "tls": {"verify": False}}, {"hots": "h"}],
)  # fmt: skip
def test_what_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        read(**given)
