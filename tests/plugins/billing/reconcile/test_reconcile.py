"""Invoices against what was measured: each way in which one can be wrong is found and called by its name."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from tests.fakes.billed_house import at
from tests.fakes.reconciled_house import ReconciledHouse

PRICE = Decimal("0.2981")


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def bill(kwh: float, price: Decimal = PRICE, vat: str = "19", **more: Any) -> dict[str, Any]:
    """An invoice of that much energy, with its base price, sums and VAT."""
    energy, base = cents(Decimal(str(round(kwh, 1))) * price), Decimal("10.26")
    net = energy + base
    tax = cents(net * Decimal(vat) / 100)
    return {
        "lines": [{"label": "energy", "quantity": str(round(kwh, 1)), "unit": "kWh", "price": str(price), "net": str(energy)},
                  {"label": "base", "quantity": "31", "unit": "day", "price": "0.331", "net": str(base)}],
        "net": str(net), "vat": str(tax), "total": str(net + tax), **more,
    }  # fmt: skip


def causes(found: dict[str, Any]) -> list[str]:
    return [each["cause"] for each in found["causes"]]


def march(home: ReconciledHouse) -> float:
    return home.kwh("2026-03-01T00:00", "2026-04-01T00:00")


async def test_one_that_is_right_agrees_and_says_what_is_rounding(home: ReconciledHouse) -> None:
    found = await home.check(**bill(march(home)))
    assert found["agrees"]
    assert causes(found) == ["rounding"], found["figures"]
    assert [figure["figure"] for figure in found["figures"]] == [
        "energy", "quantity", "price", "amount", "quantity", "price", "amount", "net", "vat", "total",
    ]  # fmt: skip
    assert {figure["cause"] for figure in found["figures"]} <= {None, "rounding"}


async def test_tolerance_is_said_and_stated(home: ReconciledHouse) -> None:
    found = await home.check(kwh=str(round(march(home) + 0.15, 2)))
    assert (found["agrees"], causes(found)) == (True, ["tolerance"])
    found = await home.check(kwh=str(round(march(home) + 0.15, 2)), tolerance={"kwh": "0.1"})
    assert not found["agrees"]
    assert found["tolerance"] == {"kwh": "0.1", "amount": "0.01"}


async def test_the_version_before(home: ReconciledHouse) -> None:
    found = await home.check(**bill(march(home), Decimal("0.2517")))
    assert not found["agrees"]
    assert causes(found)[0] == "wrong version"
    assert found["causes"][0]["text"] == "priced with version 2025-01-01 of tariff flat; what applies is 2026-02-01"
    wrong = {figure["figure"] for figure in found["figures"] if figure["cause"] == "wrong version"}
    assert wrong == {"price", "amount", "net", "vat", "total"}


@pytest.mark.parametrize(("start", "end", "text"), [
    ("2026-03-01T00:00", "2026-04-01T06:00", "ends at 2026-04-01 06:00 instead of 2026-04-01"),
    ("2026-03-01T01:00", "2026-04-01T00:00", "begins at 2026-03-01 01:00 instead of 2026-03-01"),
    ("2026-02-28T00:00", "2026-04-01T00:00", "begins at 2026-02-28 instead of 2026-03-01"),
    ("2026-03-01T06:00", "2026-04-01T06:00", "begins at 2026-03-01 06:00 instead of 2026-03-01 and ends at 2026-04-01 06:00"),
])  # fmt: skip
async def test_a_border_that_slipped(home: ReconciledHouse, start: str, end: str, text: str) -> None:
    found = await home.check(kwh=str(round(home.kwh(start, end), 2)))
    assert causes(found)[0] == "wrong period boundary"
    assert text in found["causes"][0]["text"]
    assert found["figures"][0]["cause"] == "wrong period boundary"


async def test_a_day_that_was_not_billed(home: ReconciledHouse) -> None:
    whole, day = march(home), home.kwh("2026-03-11T00:00", "2026-03-12T00:00")
    found = await home.check(**bill(whole - day))
    assert causes(found)[0] == "missing interval"
    assert found["causes"][0]["text"] == "the energy of 2026-03-11 was not billed"


async def test_energy_where_nothing_was_measured(home: ReconciledHouse) -> None:
    whole = march(home)
    for at_ms in range(at("2026-03-05T10:00"), at("2026-03-05T14:00"), 900_000):
        home.ledger.drop("grid_import", at_ms)
    found = await home.check(**bill(whole))
    assert causes(found)[0] == "missing interval"
    assert "nothing was measured for 4 h from 2026-03-05T09:00:00Z on" in found["causes"][0]["text"]
    assert found["missing_s"] == 4 * 3600


async def test_a_reading_that_nobody_took(home: ReconciledHouse) -> None:
    reads = [{"at": "2026-03-01", "kwh": "1000"}, {"at": "2026-04-01", "kwh": str(round(1040 + march(home), 1)), "estimated": True}]
    found = await home.check(**bill(march(home) + 40), readings=reads)
    assert causes(found)[0] == "estimated read"
    assert "on 2026-04-01" in found["causes"][0]["text"]


@pytest.mark.parametrize(("rate", "text"), [
    ("16", "VAT of 16 % was charged; expected 19 %"), ("0", "VAT was not charged; expected 19 %"), ("7", "VAT of 7 % was charged"),
])  # fmt: skip
async def test_another_rate_of_vat(home: ReconciledHouse, rate: str, text: str) -> None:
    found = await home.check(**bill(march(home), vat=rate))
    assert "VAT" in causes(found)
    assert text in next(each for each in found["causes"] if each["cause"] == "VAT")["text"]
    assert {figure["figure"] for figure in found["figures"] if figure["cause"] == "VAT"} == {"vat", "total"}


async def test_vat_on_vat(home: ReconciledHouse) -> None:
    right = await home.check(**bill(march(home)))
    gross = Decimal(right["expected"]["total"])
    tax = cents(gross * Decimal("0.19"))
    found = await home.check(net=str(gross), vat=str(tax), total=str(gross + tax))
    assert causes(found) == ["VAT"]
    assert "amounts that hold it already" in found["causes"][0]["text"]


def amounts(found: dict[str, Any]) -> Decimal:
    """What the causes come to."""
    return sum((Decimal(each["amount"]) for each in found["causes"] if each["amount"] is not None), Decimal(0))


def off(found: dict[str, Any], what: str) -> dict[str, Any]:
    figure: dict[str, Any] = next(each for each in found["figures"] if each["figure"] == what)
    return figure


async def test_a_border_that_slipped_under_the_version_before(home: ReconciledHouse) -> None:
    found = await home.check(**bill(home.kwh("2026-03-01T00:00", "2026-04-01T06:00"), Decimal("0.2517")))
    assert causes(found)[:2] == ["wrong period boundary", "wrong version"]
    assert "ends at 2026-04-01 06:00" in found["causes"][0]["text"]
    assert Decimal(found["causes"][0]["amount"]) > 0 > Decimal(found["causes"][1]["amount"])
    assert amounts(found) == Decimal(off(found, "total")["difference"]), "to the cent, with rounding named"
    assert {each["figure"]: each["cause"] for each in found["figures"] if not each["meets"]} == {
        "energy": "wrong period boundary", "quantity": "wrong period boundary", "price": "wrong version",
        "amount": "wrong period boundary and wrong version", "net": "wrong period boundary and wrong version",
        "vat": "wrong period boundary and wrong version", "total": "wrong period boundary and wrong version",
    }  # fmt: skip


async def test_a_day_left_out_under_the_version_before(home: ReconciledHouse) -> None:
    found = await home.check(**bill(march(home) - home.kwh("2026-03-11T00:00", "2026-03-12T00:00"), Decimal("0.2517")))
    assert causes(found)[:2] == ["missing interval", "wrong version"]
    assert "2026-03-11" in found["causes"][0]["text"]


async def test_energy_where_nothing_was_measured_under_the_version_before(home: ReconciledHouse) -> None:
    whole = march(home)
    for at_ms in range(at("2026-03-05T10:00"), at("2026-03-05T14:00"), 900_000):
        home.ledger.drop("grid_import", at_ms)
    found = await home.check(**bill(whole, Decimal("0.2517")))
    assert causes(found)[:2] == ["missing interval", "wrong version"]
    assert off(found, "price")["cause"] == "wrong version"
    assert amounts(found) == Decimal(off(found, "total")["difference"])


async def test_a_reading_that_nobody_took_and_another_rate_of_vat(home: ReconciledHouse) -> None:
    reads = [{"at": "2026-03-01", "kwh": "1000"}, {"at": "2026-04-01", "kwh": str(round(1040 + march(home), 1)), "estimated": True}]
    found = await home.check(**bill(march(home) + 40, vat="16"), readings=reads)
    assert causes(found)[:2] == ["estimated read", "VAT"]


async def test_a_border_that_slipped_and_vat_that_is_rounded_line_by_line(home: ReconciledHouse) -> None:
    starts = [f"2026-02-28T{hour}:00" for hour in range(18, 24)] + [f"2026-03-01T0{hour}:00" for hour in range(1, 7)]
    kwh = next(kwh for start in starts for kwh in [home.kwh(start, "2026-04-01T00:00")] if _by_line(kwh) != Decimal(bill(kwh)["vat"]))
    good = bill(kwh)
    found = await home.check(**{**good, "vat": str(_by_line(kwh)), "total": str(Decimal(good["net"]) + _by_line(kwh))})
    assert causes(found) == ["wrong period boundary", "rounding", "rounding"]
    assert "is rounded line by line; rounded once, on the sum, it is" in found["causes"][1]["text"]
    assert amounts(found) == Decimal(off(found, "total")["difference"])


def _by_line(kwh: float) -> Decimal:
    return sum((cents(Decimal(line["net"]) * Decimal("0.19")) for line in bill(kwh)["lines"]), Decimal(0))


async def test_two_days_that_were_not_billed_are_named_only_if_no_others_would_do(home: ReconciledHouse) -> None:
    less = home.kwh("2026-03-05T00:00", "2026-03-06T00:00") + home.kwh("2026-03-20T00:00", "2026-03-21T00:00")
    found = await home.check(kwh=str(round(march(home) - less, 6)))
    assert causes(found) == ["missing interval", "missing interval"]
    assert ["2026-03-05" in found["causes"][0]["text"], "2026-03-20" in found["causes"][1]["text"]] == [True, True]
    vague = await home.check(kwh=str(round(march(home) - less, 1)), tolerance={"kwh": "0.01"})
    assert causes(vague) == ["unexplained"]
    assert "Several pairs of causes would lead there" in vague["causes"][0]["text"]
    assert len(vague["causes"][0]["others"]) > 1


async def test_what_is_left_beside_a_cause_is_said_to_be_so(home: ReconciledHouse) -> None:
    found = await home.check(**bill(march(home) * 3, Decimal("0.2517")))
    assert causes(found)[:2] == ["wrong version", "unexplained"]
    assert float(found["causes"][1]["kwh"]) == pytest.approx(march(home) * 2, abs=0.1)
    assert off(found, "price")["cause"] == "wrong version"
    assert off(found, "energy")["cause"] == "unexplained"
    assert amounts(found) == Decimal(off(found, "total")["difference"])


async def test_one_that_contradicts_itself(home: ReconciledHouse) -> None:
    good = bill(march(home))
    found = await home.check(**{**good, "total": str(Decimal(good["total"]) + 10)})
    assert "sum" in causes(found)
    assert not found["agrees"]


async def test_a_line_that_is_not_its_quantity_times_its_price(home: ReconciledHouse) -> None:
    good = bill(march(home))
    energy = good["lines"][0]
    more = {**energy, "net": str(Decimal(energy["net"]) + 10)}
    net = Decimal(good["net"]) + 10
    tax = cents(net * Decimal("0.19"))
    found = await home.check(**{**good, "lines": [more, good["lines"][1]], "net": str(net), "vat": str(tax), "total": str(net + tax)})
    assert causes(found)[0] == "sum"
    assert "unexplained" not in causes(found)
    assert found["causes"][0]["text"] == f"line energy: {energy['quantity']} × {energy['price']} is {energy['net']}, not {more['net']}"
    assert Decimal(found["causes"][0]["amount"]) == pytest.approx(Decimal("11.9"), abs=Decimal("0.01"))
    assert {figure["figure"] for figure in found["figures"] if not figure["meets"]} == {"amount", "net", "vat", "total"}
    assert {figure["cause"] for figure in found["figures"] if not figure["meets"]} == {"sum"}
    printed = await home.check(**{**good, "lines": [more, good["lines"][1]]})  # only the line is printed wrong, its sum is right
    assert [figure["figure"] for figure in printed["figures"] if figure["cause"] == "sum"] == ["amount"]


async def test_what_nothing_explains_is_said_to_be_so(home: ReconciledHouse) -> None:
    found = await home.check(kwh=str(round(march(home) * 3, 1)))
    assert causes(found) == ["unexplained"]
    assert float(found["causes"][0]["kwh"]) == pytest.approx(march(home) * 2, abs=0.1)


async def test_lines_that_only_one_side_has(home: ReconciledHouse) -> None:
    good = bill(march(home))
    fee = {"label": "reminder fee", "net": "5.00"}
    found = await home.check(lines=[good["lines"][0], fee])
    by_label = {(figure["figure"], figure["label"]): figure for figure in found["figures"]}
    assert (by_label["amount", "reminder fee"]["billed"], by_label["amount", "reminder fee"]["cause"]) == ("5", "unexplained")
    assert not found["agrees"]


@pytest.mark.parametrize(("given", "path", "text"), [
    ({"end": "2026-03-01"}, "end", "expected a later end"), ({"end": "2026-02-01"}, "end", "expected a later end"),
    ({"end": "2033-01-01"}, "end", "longer than five years"), ({"end": "2026-05-01"}, "end", "not over yet"),
    ({"through": "2026-03-31"}, "end", "one of the two"), ({"start": "2026-03-01T00:07:00+01:00"}, "start", "quarter of an hour"),
    ({"kwh": "12,5"}, "kwh", "with a point for the decimals, such as 12.5"), ({"kwh": "1,030.7"}, "kwh", "such as 1030.7"),
    ({"kwh": "1.030,7"}, "kwh", "such as 1030.7"), ({"kwh": "1e999999"}, "kwh", "expected a number"),
    ({"kwh": "NaN"}, "kwh", "expected a number"), ({"kwh": "-5"}, "kwh", "expected 0 to"), ({"currency": "USD"}, "currency", "EUR"),
    ({"lines": [{"label": "x"}]}, "lines", "neither a quantity nor an amount"), ({"total": "1" * 50}, "total", "expected a number"),
    ({"lines": [{"label": "x", "quantity": "5"}]}, "lines", "without a unit"),
    ({"readings": [{"at": "2026-03-01", "kwh": "10"}, {"at": "2026-04-01", "kwh": "5"}]}, "readings", "does not follow on"),
])  # fmt: skip
async def test_what_cannot_be_is_refused(home: ReconciledHouse, given: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await home.check(**given)
    assert text in f"{refusal.value} {refusal.value.details}"
    assert path in str(refusal.value.details)


async def test_invoices_are_kept_changed_and_forgotten(house: ReconciledHouse) -> None:
    body = {"id": "2026-0042", "contract": "home", "start": "2026-03-01", "through": "2026-03-31", **bill(march(house), supplier="=Stadtwerke")}
    made = (await house.ask("POST", "/invoices", body)).data
    assert (made["start"], made["end"], made["lines"][0]["price"]) == ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "0.2981")
    assert await house.get("/invoices/2026-0042") == made
    with pytest.raises(Conflict, match="is there already"):
        await house.ask("POST", "/invoices", body)
    await house.ask("PUT", "/invoices/2026-0042", {**body, "kwh": "3"})
    assert (await house.get("/invoices"))[0]["kwh"] == "3"
    assert (await house.get("/invoices", contract="other")) == []
    found = await house.get("/invoices/2026-0042/reconciliation", format="json")
    assert (found["invoice"], found["agrees"]) == ("2026-0042", False)
    await house.ask("DELETE", "/invoices/2026-0042")
    for method, path in (("GET", "/invoices/2026-0042"), ("DELETE", "/invoices/2026-0042"), ("GET", "/invoices/2026-0042/reconciliation")):
        with pytest.raises(NotFound):
            await house.ask(method, path, **({"format": "json"} if path.endswith("ation") else {}))


async def test_letters(home: ReconciledHouse) -> None:
    body = {"id": "m", "contract": "home", "start": "2026-03-01", "end": "2026-04-01", "supplier": "<b>Werke</b>",
            **bill(march(home), Decimal("0.2517"))}  # fmt: skip
    body["lines"][0]["label"] = "=energy"
    text, page, table = [(await home.ask("POST", "/invoices/check", body, format=form)).data for form in ("text", "html", "csv")]
    assert "Invoice m of <b>Werke</b>, contract home, tariff flat" in text
    assert "Period: from 2026-03-01 up to 2026-04-01 (Europe/Berlin)" in text
    assert "- wrong version: priced with version 2025-01-01" in text
    assert "&lt;b&gt;Werke&lt;/b&gt;" in page
    assert "<b>" not in page
    assert ",'=energy," in table
    assert table.splitlines()[0] == "figure,label,unit,billed,expected,difference,meets,cause"
