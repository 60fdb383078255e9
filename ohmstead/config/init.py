"""Writes the configuration somebody begins with."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.config import examine
from ohmstead.config.yaml_file import CONFIGURATION, SECRETS

SCHEMA = "configuration.schema.json"
CONFIGURED = """\
# yaml-language-server: $schema={schema}
# The configuration of this house. "ohmstead check" finds mistakes; "ohmstead reload" puts changes in force.
# Editors that know the schema above complete and explain what can stand here; docs/configuration.md has it all.

home:
  name: My home
  time_zone: {zone}
  # latitude: 48.1
  # longitude: 11.6
  currency: EUR

web:
  host: 127.0.0.1      # 0.0.0.0 opens it to your whole network
  port: 7230

# An MQTT broker of yours. docs/mqtt.md says how to set up Mosquitto so that it loses nothing.
# mqtt:
#   host: 192.168.1.10
#   username: ohmstead
#   password: !secret mqtt_password
#
# Or a small one inside the hub, for trying things out:
# mqtt:
#   broker: embedded

# What the hub speaks to by itself, by the id you give each device. "ohmstead discover" finds some of them.
# integrations:
#   heatpump:
#     type: eastron
#     model: sdm630
#     host: 192.168.1.30
#   fridge:
#     type: shelly_gen2
#     host: 192.168.1.31

# What more you want to say of devices, these and those that send by themselves.
# devices:
#   heatpump:
#     name: Heat pump
#     kind: heat_pump
"""
NAMES = """\
# Passwords that the configuration names with !secret. Keep this file to yourself.
# mqtt_password: "…"
"""
IGNORED = "data/\nsecrets.yaml\n"


def write(folder: Path) -> list[Path]:
    """Write what is not there yet, each file with the rights it needs; those that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plugins").mkdir(exist_ok=True)
    schema = msgspec.json.format(msgspec.json.encode(examine.json_schema(folder)), indent=1).decode() + "\n"
    files = {
        CONFIGURATION: (CONFIGURED.format(schema=SCHEMA, zone=zone()), 0o644),
        SECRETS: (NAMES, 0o600),
        SCHEMA: (schema, 0o644),
        ".gitignore": (IGNORED, 0o644),
    }
    return [folder / name for name, (text, mode) in files.items() if _written(folder / name, text, mode)]


def _written(path: Path, text: str, mode: int) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def zone(link: Path = Path("/etc/localtime"), text: Path = Path("/etc/timezone")) -> str:
    """The zone of this machine, UTC where it does not say."""
    named = os.environ.get("TZ", "").removeprefix(":")
    linked = link.resolve().as_posix().partition("zoneinfo/")[2]
    written = text.read_text("ascii", "replace").strip() if text.is_file() else ""
    for name in (named, linked, written):
        try:
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):
            continue
    return "UTC"
