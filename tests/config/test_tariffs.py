"""Kinds of components of tariffs come from plugins by the hook `ohmstead_tariffs`, the house's own like anyone's."""

from __future__ import annotations

from pathlib import Path

from ohmstead.config.examine import problems

PLUGIN = """
from fractions import Fraction
from ohmstead.core.plugin import TariffKind, hookimpl
import voluptuous as vol

def charge(turns, till):
    for turn in turns:
        till.add(turn, "", Fraction(turn.part.days), "day", turn.rule)

@hookimpl
def ohmstead_tariffs():
    return TariffKind("{name}", {{vol.Required("price"): float}}, lambda options, holidays: Fraction(options["price"]), charge, "by the day")
"""
TARIFF = "tariffs: {cold: {currency: EUR, components: [{type: cold_days, price: 0.5}]}}\n"


def told(folder: Path, tariff: str = TARIFF, **plugins: str) -> list[str]:
    (folder / "plugins").mkdir()
    for name, kind in plugins.items():
        (folder / "plugins" / f"{name}.py").write_text(PLUGIN.format(name=kind))
    (folder / "configuration.yaml").write_text(tariff)
    return [str(problem) for problem in problems(folder).problems]


def test_a_kind_of_a_plugin_is_one_like_the_others(tmp_path: Path) -> None:
    assert told(tmp_path, winter="cold_days") == []


def test_without_the_plugin_there_is_no_such_kind(tmp_path: Path) -> None:
    (only,) = told(tmp_path)
    assert "tariffs → cold → components → item 1 → type: there is no such type of component" in only


def test_a_kind_that_is_there_already_quarantines_the_plugin(tmp_path: Path) -> None:
    (only,) = told(tmp_path, "tariffs: {a: {currency: EUR, components: [{type: flat, price: 0.5}]}}\n", other="flat")
    assert "plugin other is quarantined: its kind of tariff component 'flat' is declared already" in only


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    wrong = """
tariffs:
  home:
    currency: EUR
    components:
      - {type: flat, price: "0,25"}
      - {type: standing, price: -3, per: month}
      - {type: time_of_use, windows: [{name: peak, price: 0.25, hours: 9-21}]}
"""
    lines = told(tmp_path, wrong)
    assert [line.split("  ")[0] for line in lines] == ["configuration.yaml:6", "configuration.yaml:7", ]
    (tmp_path / "configuration.yaml").write_text(wrong.replace('"0,25"', "0.25").replace("-3", "3"))
    (only,) = [str(problem) for problem in problems(tmp_path).problems]
    assert "item 3 → windows: mon, tue, wed, thu, fri, sat, sun: no price from 0:00 to 9:00" in only
