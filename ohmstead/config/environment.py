"""Settings from the environment, laid over the YAML: with them a container needs no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ohmstead.config.document import Document
from ohmstead.config.problem import Place


class Variable(NamedTuple):
    """What a variable of the environment stands for; `secret` ones are never shown."""

    keys: tuple[str, str]
    text: str
    secret: bool = False


VARIABLES: Mapping[str, Variable] = {
    "OHMSTEAD_DATABASE_URL": Variable(("storage", "url"), "address of the database", secret=True),
    "OHMSTEAD_MQTT_BROKER": Variable(("mqtt", "broker"), '"embedded", for the small broker inside the hub'),
    "OHMSTEAD_MQTT_HOST": Variable(("mqtt", "host"), "address of the MQTT broker"),
    "OHMSTEAD_MQTT_PORT": Variable(("mqtt", "port"), "its port"),
    "OHMSTEAD_MQTT_USERNAME": Variable(("mqtt", "username"), "user name of the hub there"),
    "OHMSTEAD_MQTT_PASSWORD": Variable(("mqtt", "password"), "its password", secret=True),
    "OHMSTEAD_HOST": Variable(("web", "host"), "address the web server listens on"),
    "OHMSTEAD_PORT": Variable(("web", "port"), "its port"),
    "OHMSTEAD_LOG_LEVEL": Variable(("log", "level"), "debug, info, warning or error"),
}


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that are set; an empty one counts as not set, as container tools leave them."""
    return {name: environment[name] for name in VARIABLES if environment.get(name)}


def overlay(document: Document, environment: Mapping[str, str]) -> None:
    """Put what is set in the place of what the file says. A broker's address takes the place of the embedded one."""
    found = given(environment)
    mqtt = document.data.get("mqtt")
    if "OHMSTEAD_MQTT_HOST" in found and "OHMSTEAD_MQTT_BROKER" not in found and isinstance(mqtt, dict):
        mqtt.pop("broker", None)
    for name, value in found.items():
        variable = VARIABLES[name]
        document.put(variable.keys, value, Place(name), variable.secret)
