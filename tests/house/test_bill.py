"""From readings to a bill on a whole house: exact cents, late data, settled data, an issued bill and what changes after it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ohmstead.config.cli.local import Local
from ohmstead.config.house import House
from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import Conflict
from ohmstead.core.plugin import PeriodRow
from ohmstead.plugins.storage.retention import Policy
from tests.fakes.house import until
from tests.fakes.running import free_port

SLOT_MS = 900_000
YAML = """
home: {{time_zone: Europe/Berlin}}
storage: {{url: "{url}"}}
devices: {{grid: {{kind: meter}}, boiler: {{kind: heat_pump}}}}
tariffs:
  tou:
    currency: EUR
    vat: 19
    components:
      - type: time_of_use
        name: energy
        windows:
          - {{name: day, price: 0.30, hours: 6-22}}
          - {{name: night, price: 0.20, hours: 22-6}}
      - {{type: standing, name: base, price: 0.50, per: day}}
contracts:
  home: {{import: grid, tariff: tou, start: 2026-03-01}}
"""


def at(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")))


def counting(start: str, end: str, slots: int = 1) -> Iterable[tuple[int, float]]:
    """A register that counts 0.1 kWh in every slot of March, read every so many slots."""
    for at_ms in range(at(start), at(end) + 1, slots * SLOT_MS):
        yield at_ms, round(1000 + (at_ms - at("2026-03-01T00:00")) / SLOT_MS * 0.1, 1)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[House]:
    house = House(folder, {}, {"port": str(free_port())})
    try:
        await house.open()
        await house.start()
        yield house
    finally:
        await house.stop()


async def store(house: House, device: str, quantity: str, readings: Iterable[tuple[int, float]]) -> None:
    batch = house.hub.ingest.batch("test", "test", live=False)
    feed = batch.feed(device)
    for at_ms, value in readings:
        assert batch.add(feed, quantity, value, at_ms) is None
    await house.hub.ingest.store(batch)
    await until(lambda: device in house.parts.money.ledger.points, 10)  # it makes itself
    await house.parts.money.ledger.caught_up(20)


async def ask(house: House, method: str, path: str, body: Any = None, **query: Any) -> Any:
    return (await Local(house).call(method, path, query, body))[0]


@pytest.fixture
def folder(storage_url: str, tmp_path: Path) -> Path:
    there = tmp_path / "house"
    there.mkdir()
    (there / "configuration.yaml").write_text(YAML.format(url=storage_url))
    return there


async def test_a_month_from_readings_to_the_cent(folder: Path) -> None:
    async with running(folder) as house:
        await store(house, "grid", "energy_import", [*counting("2026-03-01T00:00", "2026-03-10T00:00"), *counting("2026-03-11T00:00", "2026-04-01T00:00")])
        bill = await ask(house, "GET", "/bills/home-2026-03-01")
        assert bill["import"]["shares"]["estimated"] == "0.032301"  # 96 of 2,972 slots: a step over the longest gap
        assert bill["import"]["missing"] == []

        await store(house, "grid", "energy_import", counting("2026-03-10T00:15", "2026-03-10T23:45"))  # late
        bill = await ask(house, "GET", "/bills/home-2026-03-01")
        assert bill["import"]["shares"]["measured"] == "1"
        # 31 days × 64 slots × 0.1 = 198.4 kWh × 0.30 = 59.52; nights 30 × 32 + 28 slots of 29 March = 988: 98.8 × 0.20 = 19.76
        # 31 × 0.50 = 15.50; net 94.78; VAT 18.0082 -> 18.01
        assert [(line["label"], line["quantity"], line["net"]) for line in bill["lines"]] == [
            ("day", "198.4", "59.52"), ("night", "98.8", "19.76"), ("", "31", "15.50"),
        ]  # fmt: skip
        assert bill["total"] == "112.79"
        issued = await ask(house, "POST", "/bills/home-2026-03-01/issue", {})

        # a month later the utility settles 5 March, 12:00 to 13:00, at 1.4 kWh: 1 kWh more
        ledger, known = house.parts.money.ledger, from_ms(house.hub.clock.now_ms()).isoformat()
        begun = await ledger.imports.begin("settled", "grid", "test", "owner")
        number = begun.made.number
        await ledger.imports.add(number, [PeriodRow(at("2026-03-05T12:00"), at("2026-03-05T13:00"), 1_400_000)])
        await ledger.imports.commit(number)
        await ledger.caught_up(20)
        shown = await ask(house, "GET", "/bills/home-2026-03-01")
        # net 0.30 more, VAT of 95.08 is 18.0652 -> 18.07, 0.06 more
        assert {**shown, "changed_since": None} == issued
        then, now = [(await ask(house, "GET", "/bills/home-2026-03-01", **query)) for query in ({"known_at": known}, {"known_at": "2099-01-01T00:00:00Z"})]
        assert (then["total"], now["total"]) == ("112.79", "113.15")
        assert shown["changed_since"] == {"net": "0.30", "tax": "0.06", "total": "0.36"}
        adjusted = await ask(house, "POST", "/bills/home-2026-03-01/adjust", {})
        assert [(line["label"], line["quantity"], line["net"]) for line in adjusted["lines"]] == [("day", "1.0", "0.30")]
        slot = await ask(house, "GET", "/bills/home-2026-03-01/slots/2026-03-05T12:10:00+01:00")
        [point] = slot["meter_points"]
        assert (point["billed"]["kwh"], point["layers"]["settled"]["kwh"], point["layers"]["live"]["kwh"]) == ("0.100000", "0.350000", "0.100000")
        assert point["readings"][0]["series"] == "grid.energy_import"
        assert point["corrections"] == []
        span = {"start": "2026-03-05T12:00:00+01:00", "end": "2026-03-05T13:00:00+01:00"}
        await ask(house, "POST", "/corrections", {"kind": "set-total", "meter_point": "grid", "kwh": "1.5", "reason": "by hand", "adjust": True, **span})
        await ask(house, "POST", "/corrections", {"kind": "void", "series": "grid.energy_import", "reason": "a test", "adjust": True, **span})
        slot = await ask(house, "GET", "/bills/home-2026-03-01/slots/2026-03-05T12:10:00+01:00")
        assert [(each["number"], each["kind"]) for each in slot["meter_points"][0]["corrections"]] == [(1, "set-total"), (2, "void")]
        for number in (2, 1):
            await ask(house, "POST", f"/corrections/{number}/undo", {"reason": "enough", "adjust": True})

    async with running(folder) as house:  # and after a restart
        again = await ask(house, "GET", "/bills/home-2026-03-01")
        assert (again["status"], again["total"], again["adjustments"], again["digest"]) == ("adjusted", "112.79", ["home-2026-03-01.1"], issued["digest"])


async def test_a_bill_whose_readings_are_archived_is_the_same_bytes(folder: Path) -> None:
    """Drafts, lines opened to slots, slots opened to readings: of two contracts, one of them priced by tariff registers."""
    yaml = (folder / "configuration.yaml").read_text()
    yaml = yaml.replace("contracts:\n", "contracts:\n  pump: {import: boiler, tariff: ht_nt, start: 2026-03-01}\n")
    registers = "  ht_nt: {currency: EUR, components: [{type: registers, name: energy, prices: {t1: 0.30, t2: 0.20}}]}\n"
    (folder / "configuration.yaml").write_text(yaml.replace("tariffs:\n", f"tariffs:\n{registers}"))
    bills = ("home-2026-03-01", "pump-2026-03-01")
    slot = "/bills/home-2026-03-01/slots/2026-03-05T12:10:00+01:00"
    paths = [*(f"/bills/{bill}" for bill in bills), *(f"/bills/{bill}/lines/{line}" for bill in bills for line in (1, 2)), slot]

    async def seen(house: House) -> list[str]:
        return [json.dumps(await ask(house, "GET", path)) for path in paths]

    async with running(folder) as house:
        await store(house, "grid", "energy_import", counting("2026-03-01T00:00", "2026-04-01T00:00"))
        for quantity in ("energy_import_t1", "energy_import_t2"):
            await store(house, "boiler", quantity, counting("2026-03-01T00:00", "2026-04-01T00:00", 2))
        before = await seen(house)
        home, pump = (json.loads(each) for each in before[:2])
        # 297.2 kWh in each of the registers: 89.16 and 59.44
        assert (home["total"], pump["total"]) == ("112.79", "148.60")
        reader = house.parts.storage.reader
        assert await house.parts.storage.retention.run(Policy()) == 2973 + 2 * 1487
        assert await reader.rows("SELECT count(*) FROM readings") == [(0,)]
        assert await seen(house) == before
        await ask(house, "POST", "/ledger/rebuild", None, dry_run="false")
        await house.parts.money.ledger.caught_up(60)
        assert await seen(house) == before
        assert len(json.loads(before[-1])["meter_points"][0]["readings"][0]["readings"]) == 9  # an hour around it, from the archive
        # a late reading (1043.2 at 12:00, 1043.4 at 12:30) says that 0.05 of 0.2 kWh were in its first quarter: by day, so it costs the same
        await store(house, "boiler", "energy_import_t1", [(at("2026-03-05T12:15"), 1043.25)])
        late = json.loads((await seen(house))[1])
        assert (late["total"], late["import"]["shares"]["measured"]) == ("148.60", "1")
        opened = await ask(house, "GET", "/bills/pump-2026-03-01/lines/1")
        quantities = {each["start"]: each["quantity"] for each in opened["opened"]}
        assert (quantities["2026-03-05T11:00:00Z"], quantities["2026-03-05T11:15:00Z"]) == ("0.05", "0.15")


async def test_cost_of_a_load_and_of_the_rest(folder: Path) -> None:
    async with running(folder) as house:
        await store(house, "grid", "energy_import", counting("2026-03-01T00:00", "2026-04-01T00:00", 4))
        half = [(at_ms, round((value - 1000) / 2, 2)) for at_ms, value in counting("2026-03-01T00:00", "2026-04-01T00:00", 4)]
        await store(house, "boiler", "energy_import", half)
        found = await ask(house, "GET", "/contracts/home/allocation", period="2026-03")
        assert {share["meter_point"]: share["amount"] for share in found["shares"]} == {"boiler": "39.64", None: "39.64"}
        assert found["energy_lines"] == "79.28"


async def test_the_commands(tmp_path: Path, sqlite_url: str, ohmstead: Ohmstead) -> None:
    (folder := tmp_path / "house").mkdir()
    (folder / "configuration.yaml").write_text(YAML.format(url=sqlite_url))
    async with running(folder) as house:
        await store(house, "grid", "energy_import", counting("2026-03-01T00:00", "2026-04-01T00:00"))
        listed = await ohmstead(folder, "contracts")
        assert listed.split()[-4:] == ["tou", "EUR", "2026-03-01", "–"]
        assert json.loads(await ohmstead(folder, "bill", "home", "--period", "2026-03", "--issue", "--dry-run", "--json"))["status"] == "draft"
        issued = await ohmstead(folder, "bill", "home", "--period", "2026-03", "--issue")
        assert "(issued)" in issued
        assert "total  112.79 EUR" in issued
        assert "nothing changed since" in await ohmstead(folder, "bill", "home", "--period", "2026-03", "--adjust")
        assert "2026-03-01T05:00:00Z" in await ohmstead(folder, "bill", "home", "--period", "2026-03", "--line", "1")
        assert "give either" in await ohmstead(folder, "bill", "home", "--issue", "--adjust")
        assert json.loads(await ohmstead(folder, "tariffs", "show", "tou", "--json"))["id"] == "tou"
        with pytest.raises(Conflict, match="meter point grid is billed by the contract home"):
            await ask(house, "DELETE", "/meter-points/grid")


Ohmstead = Callable[..., Awaitable[str]]


@pytest.fixture
def ohmstead() -> Ohmstead:
    """Runs the real command beside the hub; what it prints."""

    async def run(folder: Path, *arguments: str) -> str:
        command = [sys.executable, "-m", "ohmstead", "-c", str(folder), *arguments]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        return out.decode()

    return run
