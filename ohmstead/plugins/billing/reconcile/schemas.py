"""What an invoice may be described with, in files and over the API."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.billing.schemas import name
from ohmstead.plugins.ledger.moments import decimal, moment

_money = decimal("-1e12", "1e12")
_kwh = decimal("0", "1e10", "kWh")

READ = {
    vol.Required("at", description="day or instant of the reading"): moment,
    vol.Required("kwh", description="what the meter is said to have shown"): _kwh,
    vol.Optional("estimated", default=False, description="true: nobody read it"): validate.boolean,
}
LINE = {
    vol.Required("label", description="what the line is called"): name,
    vol.Optional("quantity", description="how much"): decimal("-1e12", "1e12"),
    vol.Optional("unit", description="of what: kWh, kW, day, month …"): vol.All(validate.text, vol.Length(max=20)),
    vol.Optional("price", description="of one unit, in the currency"): decimal("-1e6", "1e6"),
    vol.Optional("net", description="the amount without VAT"): _money,
    vol.Optional("vat_percent", description="VAT in percent"): decimal("0", "100", "percent"),
    vol.Optional("gross", description="the amount with VAT"): _money,
}
TOLERANCE = {
    vol.Optional("kwh", description="energy that may differ, in kWh; 0.2 unless given"): decimal("0", "1e6", "kWh"),
    vol.Optional("amount", description="money that may differ on each line; 0.01 unless given"): decimal("0", "1e6"),
}
INVOICE: dict[Any, Any] = {
    vol.Required("id", description="its number, of letters, digits, _ and -"): validate.slug,
    vol.Required("contract", description="id of the contract it is of"): validate.slug,
    vol.Optional("supplier", description="who sent it"): name,
    vol.Optional("currency", description="ISO 4217 code; that of the contract unless given"): validate.currency,
    vol.Required("start", description="its first day, or the instant at which its period begins"): moment,
    vol.Optional("end", description="the first day behind its period, or the instant at which that ends"): moment,
    vol.Optional("through", description="the last day of its period, instead of the end"): moment,
    vol.Optional("kwh", description="the energy bought"): _kwh,
    vol.Optional("exported_kwh", description="the energy sold"): _kwh,
    vol.Optional("lines", description="its lines"): vol.All([LINE], vol.Length(max=1000)),
    vol.Optional("net", description="its sum without VAT"): _money,
    vol.Optional("vat", description="its VAT"): _money,
    vol.Optional("total", description="what is to be paid for the period"): _money,
    vol.Optional("readings", description="what the meter is said to have shown"): vol.All([READ], vol.Length(max=1000)),
    vol.Optional("tolerance", description="what may differ without anybody asking"): TOLERANCE,
}
