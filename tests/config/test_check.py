"""A whole configuration: every mistake at once, with its line and what would be right."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable

import pytest

from ohmstead.config.check import in_order
from ohmstead.config.examine import problems
from ohmstead.config.problem import Place, Problem
from ohmstead.core.errors import ConfigError
from tests.config.conftest import Write
from tests.config.test_cli import run
from tests.config.test_house import ask, running

Run = Callable[..., subprocess.CompletedProcess[str]]

TWENTY = """\
home:
  time_zone: Europe/Berln
  currency: euro
  colour: red
integration: {}
web:
  port: 99999
  host: "http://x"
mqtt:
  broker: embeded
storage:
  url: oracle://x
  durability: powr
devices:
  D1:
    location: attick
    via: D1
    ranges: {powr: [1, 2], power: [3, 1]}
    offline_after: soon
  "bad id": {}
locations:
  attic: {kind: attic, parent: cellar}
  a: {parent: b}
  b: {parent: a}
integrations:
  heatpump:
    type: eastron
    model: sdm631
    evry: 10
  plug:
    type: shely_gen2
  y: 5
  z: {host: 1}
log: {level: loud}
registry: !include more.yaml
"""
LINES = """\
configuration.yaml:2  home → time_zone: expected a time zone such as Europe/Berlin
configuration.yaml:3  home → currency: expected a currency code such as EUR
configuration.yaml:4  home → colour: unknown option. There are currency, latitude, longitude, name, time_zone
configuration.yaml:5  integration: unknown section. Did you mean "integrations"?
configuration.yaml:7  web → port: expected a whole number from 1 to 65535
configuration.yaml:8  web → host: expected a host name or IP address, such as 192.168.1.20
configuration.yaml:10  mqtt → broker: expected embedded. Did you mean "embedded"?
configuration.yaml:12  storage → url: oracle is not supported; use sqlite or postgresql
configuration.yaml:13  storage → durability: expected process or power. Did you mean "power"?
configuration.yaml:16  devices → D1 → location: there is no location 'attick'. Did you mean "attic"?
configuration.yaml:17  devices → D1 → via: there is no device 'D1'.
configuration.yaml:18  devices → D1 → ranges → powr: unknown quantity. Did you mean "power"?
configuration.yaml:18  devices → D1 → ranges → power: expected the lowest before the highest value
configuration.yaml:19  devices → D1 → offline_after: expected a time span such as 30s, 15m or 2h
configuration.yaml:20  devices → bad id: expected an id of letters, digits, _ and -, at most 64 characters
configuration.yaml:22  locations → attic → kind: expected home, apartment, building, facility, floor, room or other
configuration.yaml:22  locations → attic → parent: there is no location 'cellar'.
configuration.yaml:23  locations → a → parent: goes round in a circle: a → b → a
configuration.yaml:26  integrations → heatpump → host: is missing (address of the meter or of the Modbus gateway it is behind)
configuration.yaml:28  integrations → heatpump → model: expected sdm72, sdm72v2, sdm120, sdm230 or sdm630. Did you mean "sdm630"?
configuration.yaml:29  integrations → heatpump → evry: unknown option. Did you mean "every"?
configuration.yaml:31  integrations → plug → type: unknown integration 'shely_gen2'. Did you mean "shelly_gen2"?
configuration.yaml:32  integrations → y: expected the device's type and options below it, such as type: shelly_gen2
configuration.yaml:33  integrations → z → type: is missing; there are """
LAST = """\
configuration.yaml:34  log → level: expected debug, info, warning or error
more.yaml:2  registry → auto: expected true or false
"""


def told(folder: Write, yaml: str, **files: str) -> list[str]:
    return [str(problem) for problem in problems(folder(yaml, **files)).problems]


def test_a_configuration_with_more_than_twenty_mistakes(folder: Write, ohmstead: Run) -> None:
    done = ohmstead(folder(TWENTY, more_yaml="# registry\nauto: maybe\n"), "check")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(LINES)
    assert done.stderr.endswith(LAST)
    assert len(done.stderr.splitlines()) == 26
    assert "Traceback" not in done.stderr
    assert "\n".join(told(folder, TWENTY, more_yaml="# registry\nauto: maybe\n")) + "\n" == done.stderr


def test_mistakes_as_json(folder: Write) -> None:
    done = run(folder("web: {prt: 1}\nmqtt: {broker: embedded}\n"), "check", "--json")
    assert done.exit_code == 2
    found = json.loads(done.output)
    problem = {"file": "configuration.yaml", "line": 1, "path": ["web", "prt"], "message": 'unknown option. Did you mean "port"?'}
    assert found["problems"] == [problem]
    assert "the embedded broker" in found["notes"][0]


def test_a_right_configuration_and_what_its_owner_should_know(folder: Write) -> None:
    done = run(folder("mqtt: {broker: embedded}\n"), "check")
    assert done.exit_code == 0
    assert "no mistakes" in done.output
    assert "note: the embedded broker" in done.output
    assert run(folder("web: {prt: 1}\n"), "check").output == 'configuration.yaml:1  web → prt: unknown option. Did you mean "port"?\n'


def test_no_configuration_at_all(folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    there = folder()
    (there / "configuration.yaml").unlink()
    with pytest.raises(ConfigError, match=r'configuration.yaml: there is no such file; "ohmstead init" writes one'):
        run(there, "check")
    monkeypatch.setenv("OHMSTEAD_PORT", "7231")
    assert run(there, "check").exit_code == 0
    monkeypatch.setenv("OHMSTEAD_PORT", "0")
    assert run(there, "check").output == "OHMSTEAD_PORT  web → port: expected a whole number from 1 to 65535\n"


def test_a_secret_is_never_shown(folder: Write) -> None:
    found = told(folder, "mqtt: {host: !secret hst}\nstorage: {url: !secret url}\n", secrets_yaml="hst: 'no host'\nurl: mysql://hunter22\n")
    assert found == [
        "configuration.yaml:1  mqtt → host: expected a host name or IP address, such as 192.168.1.20",
        "configuration.yaml:2  storage → url: mysql is not supported; use sqlite or postgresql",
    ]
    assert told(folder, "storage: {url: !secret url}\n", secrets_yaml="url: hunter22\n") == [
        "configuration.yaml:1  storage → url: '•••' is no database URL, such as sqlite:///ohmstead.db"
    ]


def test_what_clashes_within_the_broker(folder: Write) -> None:
    assert told(folder, "mqtt:\n  host: h\n  password: x\n  tls: {cert: a}\n") == [
        "configuration.yaml:3  mqtt → password: needs a username",
        "configuration.yaml:4  mqtt → tls: cert and key go together",
    ]
    assert told(folder, "mqtt: {port: 1883}\n") == ['configuration.yaml:1  mqtt: where is the broker? Give host, or "broker: embedded"']


def test_mistakes_within_lists_hide_none_of_the_others(folder: Write) -> None:
    found = problems(folder("""
devices: {heatpump: {}}
automations:
  a: {trigger: [{stat: heatpump.power}], action: [{webhok: x}, {delay: 1s}]}
  b: {trigger: [{webhook: short}], action: [{delay: 1s}]}
  c: {blueprint: car_on_surplus, inputs: {chargr: ev}}
  d: {trigger: [{state: heatpmp.power}], action: [{delay: 1s}]}
alerts:
  e: {kind: template, template: "{{ state('heatpmp.power') > 1 }}"}
"""))  # fmt: skip
    assert [" → ".join(map(str, problem.keys)) for problem in found.problems] == [
        "automations → a → trigger → 0 → stat", "automations → a → action → 0 → webhok", "automations → b → trigger → 0 → webhook",
        "automations → c → inputs → chargr", "automations → c → inputs", "automations → d → trigger → 0 → state", "alerts → e → template",
    ]  # fmt: skip


def test_sections_and_entries_of_the_wrong_kind(folder: Write) -> None:
    assert told(folder, "integrations: [1]\nweb: 5\n") == [
        "configuration.yaml:1  integrations: expected the ids of devices, each with its type and options below it",
        "configuration.yaml:2  web: expected options below it, each on its own line, such as name: value",
    ]
    assert told(folder, "integrations:\ndevices:\nlocations:\n") == []
    (line,) = told(folder, "integrations: {'a b': {type: dsmr, host: h}}\n")
    assert line.endswith("integrations → a b: expected an id of letters, digits, _ and -, at most 64 characters")
    (line,) = told(folder, "integrations: {a: {type: qqqqqq}}\n")
    assert "There are" in line


PLUGIN = """
import voluptuous as vol
from pathlib import Path
from ohmstead.core.plugin import Integration, Section, hookimpl
from ohmstead.core.quantity import Kind, Quantity

@hookimpl
def ohmstead_integrations():
    return [Integration("blower", {vol.Required("model"): str}, lambda options, context: None, templates=Path(__file__).parent)]

@hookimpl
def ohmstead_quantities():
    return [Quantity("ozone", "ppm", Kind.GAUGE, "ozone", 0, 100)]

@hookimpl
def ohmstead_sections(hub):
    return [Section("blowing", {vol.Required("hard", description="how hard"): vol.Any("yes", "no")})]
"""


def with_plugin(there: str, name: str = "blower") -> None:
    from pathlib import Path

    (Path(there) / "plugins").mkdir(exist_ok=True)
    (Path(there) / "plugins" / f"{name}.py").write_text(PLUGIN)


def test_plugins_bring_sections_integrations_and_quantities(folder: Write) -> None:
    there = folder("blowing: {}\nintegrations: {b: {type: blower, model: big}}\ndevices: {x: {ranges: {ozone: [1, 2]}}}\n")
    with_plugin(str(there))
    assert [str(problem) for problem in problems(there).problems] == [
        "configuration.yaml:1  blowing → hard: is missing (how hard)",
        "configuration.yaml:2  integrations → b → model: there is no template for 'big'; there are ",
    ]
    (there / "plugins" / "big.yaml").write_text("a: [\n")
    (there / "configuration.yaml").write_text("integrations: {b: {type: blower, model: big}}\n")
    (line,) = [str(problem) for problem in problems(there).problems]
    assert line.startswith("configuration.yaml:1  integrations → b → model: big.yaml:")
    (there / "plugins" / "big.yaml").write_text("a: 1\n")
    assert problems(there).problems == []


def test_a_plugin_that_clashes_or_cannot_be_loaded_is_told(folder: Write) -> None:
    there = folder("{}")
    with_plugin(str(there))
    with_plugin(str(there), "copy")
    (there / "plugins" / "worse.py").write_text("raise RuntimeError('no')\n")
    (there / "plugins" / "wrong.py").write_text(PLUGIN.replace('"ozone", "ppm"', '"power", "ppm"').replace("blow", "grow"))
    found = [problem.text for problem in problems(there).problems]
    assert found == [
        "plugin copy is quarantined: its section 'blowing' is declared already",
        "plugin worse is quarantined: import failed: RuntimeError: no",
        "plugin wrong is quarantined: quantity 'power' is already declared as 'active power, signed' in W",
    ]


CONTRACTS = """\
meter_points: {grid: {role: grid_import}, car: {role: ev}}
tariffs: {flat: {currency: EUR, components: [{type: flat, price: 0.3}]}}
contracts:
  home: {import: grid, tariff: %s}
  car: {import: car, tariff: %s}
devices: {plug: {kind: load}}
alerts:
  dear: {kind: price, above: 0.4, contract: %s}
  dearest: {kind: template, template: "{{ state('%s.price_now') > 1 }}"}
automations:
  a: {trigger: [{price: now, below: 0.1, contract: %s}], action: [{command: {device: plug, switch: on}}]}
  b: {trigger: [{cheapest: 2h, hours: 0-6, contract: %s}], action: [{command: {device: plug, switch: on}}]}
  c: {trigger: [{state: %s.price_now, below: 0.1}], action: [{command: {device: plug, switch: on}}]}
"""


def test_contracts_and_tariffs_that_are_not_there_are_named_with_those_that_are(folder: Write) -> None:
    assert problems(folder(CONTRACTS % ("flat", "flat", "home", "tariff", "car", "home", "tariff_car"))).problems == []
    wrong = folder(CONTRACTS % ("flta", "x", "hmoe", "tariff_hme", "x", "crr", "tariff_x"))
    assert [str(each).removeprefix("configuration.yaml:") for each in problems(wrong).problems] == [
        "4  contracts → home → tariff: there is no tariff 'flta'. Did you mean \"flat\"?",
        "5  contracts → car → tariff: there is no tariff 'x'. There are flat",
        "8  alerts → dear → contract: there is no contract 'hmoe'. Did you mean \"home\"?",
        "9  alerts → dearest → template: there is no contract 'hme'. Did you mean \"home\"?",
        "11  automations → a → trigger → item 1 → contract: there is no contract 'x'. There are car, home",
        "12  automations → b → trigger → item 1 → contract: there is no contract 'crr'. Did you mean \"car\"?",
        "13  automations → c → trigger → item 1 → state: there is no contract 'x'. There are car, home",
    ]  # fmt: skip


async def test_contracts_and_tariffs_made_over_the_api_are_there(folder: Write) -> None:
    """Also while no hub runs: the database is asked."""
    there = folder(CONTRACTS % ("flat", "flat", "home", "tariff", "car", "home", "tariff_car"))
    async with running(there) as house:
        tariff = {"id": "night", "currency": "EUR", "components": [{"type": "flat", "price": 0.2}]}
        for path, body in (("/tariffs", tariff), ("/meter-points", {"id": "flat2", "role": "grid_import"}),
                           ("/contracts", {"id": "let", "import": "flat2", "tariff": "night"})):  # fmt: skip
            assert (await ask(house, "POST", path, json=body))["success"], path
    folder(CONTRACTS % ("night", "flat", "let", "tariff_let", "let", "let", "tariff_let"))
    assert (await asyncio.to_thread(problems, there)).problems == []
    folder(CONTRACTS % ("night", "flat", "lte", "tariff_let", "let", "let", "tariff_let"))
    [only] = (await asyncio.to_thread(problems, there)).problems
    assert str(only).endswith("there is no contract 'lte'. Did you mean \"let\"?")


def test_the_order_of_problems_is_that_of_the_files() -> None:
    wanted = [Problem(Place("b.yaml", 1), (), ""), Problem(Place("b.yaml", 2), (), ""), Problem(Place("a.yaml", 1), (), ""), Problem(Place("X"), (), "")]
    assert in_order(reversed(wanted), ["b.yaml", "a.yaml"]) == wanted
