"""The parts of the YAML that belong to the house itself; every other part is declared by the plugin it configures."""

from __future__ import annotations

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import Section
from ohmstead.plugins.protocols.mqtt import SCHEMA as MQTT

DATABASE = "sqlite:///ohmstead.db"
PORT = 7230

HOME = {
    vol.Optional("name", default="Home", description="name of the house"): validate.text,
    vol.Optional("time_zone", default="UTC", description="IANA time zone of the house, such as Europe/Berlin"): validate.time_zone,
    vol.Optional("latitude", description="degrees north"): validate.between(-90, 90, "degrees"),
    vol.Optional("longitude", description="degrees east"): validate.between(-180, 180, "degrees"),
    vol.Optional("currency", default="EUR", description="ISO 4217 code of the house's money"): validate.currency,
}

STORAGE = {
    vol.Optional("url", default=DATABASE, description="database: sqlite:///file in data/, or postgresql://user:password@host/name"):
        validate.text,
    vol.Optional("durability", default="process", description='what stored readings survive: "process" kill -9, "power" a power cut too'):
        validate.one_of("process", "power"),
}  # fmt: skip

WEB = {
    vol.Optional("host", default="127.0.0.1", description="address to listen on; 0.0.0.0 for the whole network"): validate.host,
    vol.Optional("port", default=PORT, description="port to listen on"): validate.port,
    vol.Optional("external_url", description="how browsers reach the hub, when through a reverse proxy"): validate.url("http", "https"),
}

LOG = {
    vol.Optional("level", default="info", description="debug, info, warning or error"):
        validate.one_of("debug", "info", "warning", "error"),
    vol.Optional("format", default="text", description="text for people, json for machines"): validate.one_of("text", "json"),
    vol.Optional("requests", default=False, description="true: one line of JSON for every request to the API"): validate.boolean,
}  # fmt: skip

INTEGRATIONS = "integrations"
SECTIONS = (
    Section("home", HOME, description="the house", default={}),
    Section("mqtt", MQTT, description="the MQTT broker; without this part the hub speaks no MQTT"),
    Section("storage", STORAGE, description="the database", default={}, restart=True),
    Section("web", WEB, description="the web server", default={}),
    Section("log", LOG, description="what the hub writes about itself", default={}),
)
