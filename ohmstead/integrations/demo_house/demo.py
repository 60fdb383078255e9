"""The folder of `ohmstead demo`: a configuration to look at and to change, and the words that say what to try."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

MARK = "# Written by `ohmstead demo` at every start. Remove this line, and the file is yours.\n"

CONFIGURATION = """\

home:
  name: Demo house
  time_zone: Europe/Berlin
  latitude: 48.1
  longitude: 11.6
  currency: EUR

# A small MQTT broker inside the hub, for trying things out. It listens on this machine only.
mqtt:
  broker: embedded
  port: {mqtt_port}

# Ten devices that are not there. They speak to the broker as real ones do.
integrations:
  house:
    type: demo_house
    seed: {seed}      # another number is another house
    days: {days:g}     # of history, written at the first start
    faults: {faults:g}    # share of messages with which a fault begins: 0 is a sound house, 0.05 a sick one

# What energy costs: dear by day, cheap at night, a fee for every day, and the roof's surplus sold. Prices are net.
tariffs:
  day_and_night:
    currency: EUR
    vat: 19
    components:
      - type: time_of_use
        name: energy
        windows:
          - {{name: day, price: 0.289, hours: 6-22}}
          - {{name: night, price: 0.214, hours: 22-6}}
      - {{type: standing, name: base fee, price: 0.37, per: day}}
      - {{type: flat, name: feed-in, direction: export, price: 0.0812, vat: 0}}

# Who supplies the house: "ohmstead bill home" shows what the running month comes to, "--period last" the month before.
contracts:
  home:
    supplier: Demo power and light
    import: grid
    export: grid_export
    tariff: day_and_night

# What somebody should be told of. "ohmstead alerts" lists what is wrong, "ohmstead alerts ack 1" takes care of it.
alerts:
  bulb_overheat: {{device: D1, quantity: temperature, above: 50, clear_below: 47, for: 30s, severity: high, cooldown: 15m, notify: [owner]}}

# What is done by itself: a blueprint that comes with Ohmstead. "ohmstead automations blueprints" lists all of them.
automations:
  washer: {{blueprint: washing_machine_finished, inputs: {{plug: plug_washer}}}}
"""

GREETING = """
Ohmstead is up: a simulated house of ten devices on a real hub.

  See it       http://{host}:{port}/   (sign in with the token)
  Token        {token}
  Stop it      Ctrl-C. What it stored stays in {folder}

Try, in another terminal:

  TOKEN={token}

  # speak as a device over MQTT; the hub makes the device
  mosquitto_pub -h 127.0.0.1 -p {mqtt_port} -q 1 -t devices/kettle/telemetry \\
    -m "{{\\"timestamp\\": \\"$(date -u +%FT%TZ)\\", \\"power\\": 2140}}"

  # see it live, and the grid meter by the day
  curl -H "Authorization: Bearer $TOKEN" "http://{host}:{port}/api/v1/states?device=kettle"
  curl -H "Authorization: Bearer $TOKEN" "http://{host}:{port}/api/v1/devices/grid/energy/readings?quantity=energy_import&resolution=1d"

  # a minute or two after the start the bulb is too hot: what is wrong, and taking care of it
  ohmstead -c {folder} alerts
  ohmstead -c {folder} alerts ack 1

  # switch it off: it cools down, and the alert is resolved by itself
  curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
    -d '{{"capability": "switch", "value": "off"}}' http://{host}:{port}/api/v1/devices/D1/commands

  # what the last month cost, line by line, and what this one comes to
  ohmstead -c {folder} bill home --period last
  ohmstead -c {folder} bill home

  # write InfluxDB line protocol, as Telegraf does
  curl -H "Authorization: Token $TOKEN" --data-binary "kettle power=2150,temperature=71.5" "http://{host}:{port}/api/v2/write"
"""


def prepare(folder: Path, mqtt_port: int, seed: int = 1, days: float = 30, faults: float = 0.0) -> None:
    """Write the demo's configuration into `folder`, unless somebody made it theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "configuration.yaml"
    if path.exists() and not path.read_text("utf-8").startswith(MARK):
        return
    path.write_text(MARK + CONFIGURATION.format(mqtt_port=mqtt_port, seed=seed, days=days, faults=faults), "utf-8")


def greeting(folder: Path, host: str, port: int, mqtt_port: int, token: str) -> str:
    """Where to look and what to try."""
    return GREETING.format(folder=folder, host=host, port=port, mqtt_port=mqtt_port, token=token)


def free_port(wanted: int, host: str = "127.0.0.1") -> int:
    """`wanted`, or where that is taken a free one."""
    for port in (wanted, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no port is free on {host}")
