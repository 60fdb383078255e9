"""MQTT: one connection to the house's broker, shared by all that speak it."""

from ohmstead.plugins.protocols.mqtt.message import Message
from ohmstead.plugins.protocols.mqtt.options import SCHEMA, Options, Tls, options
from ohmstead.plugins.protocols.mqtt.service import Mqtt

__all__ = ["SCHEMA", "Message", "Mqtt", "Options", "Tls", "options"]
