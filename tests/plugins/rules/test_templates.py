"""Templates say what they should, and no template takes the house down."""

from __future__ import annotations

import time

import pytest

from ohmstead.core.errors import Invalid
from ohmstead.plugins.rules.sandbox import WITHIN_S
from ohmstead.plugins.rules.template import SOURCE_MOST
from ohmstead.plugins.rules.templates import Templates


class Price:
    now = 0.3


TEMPLATES = Templates({"state": lambda address, default=None: {"heatpump.power": 1200.0}.get(address, default), "price": Price()})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ state('heatpump.power') * 2 }}", "2400.0"),
        ("{{ state('heatpump.power') > 5 and price.now < 1 }}", "True"),
        ("{{ state('x.power', 0) + 1 }}", "1"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{{ [1, 2, 3] | sum }} {{ [1, 2] | join('-') }} {{ [3, 1] | min }}", "6 1-2 1"),
        ("{{ 'a' ~ 1 ~ ('b' ~ 'c').upper() }}", "a1BC"),
        ("{% set x = 5 %}{% if x in [4, 5] %}yes{% else %}no{% endif %}", "yes"),
        ("{{ (10 / 3) | round(2) }}", "3.33"),
        ("{{ 2 ** 10 }} {{ 7 // 2 }} {{ 7 % 2 }}", "1024 3 1"),
    ],
)
def test_what_templates_say(source: str, said: str) -> None:
    assert TEMPLATES.compile(source).text() == said


BOMBS = [
    "{{ 'a' * 10**9 }}", "{{ [1] * 10**9 }}", "{{ 10**(10**10) }}", "{{ -9**99999 }}", "{{ 'a'.center(10**9) }}", "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'|center(10**9) }}", "{{ '%1000000000d' % 1 }}", "{{ '{:>1000000000}'.format(1) }}", "{{ 'a'|format(1) }}",
    "{% for i in range(10**9) %}{% endfor %}", "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(5000) %}{{ range(10000)|list|sort|length }}{% endfor %}", "{% for i in range(9000) %}0123456789{% endfor %}",
    "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}", "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a + a %}" * 60 + "{{ a }}", "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{{ ''.__class__.__mro__ }}", "{{ state.__globals__ }}", "{{ price.__class__ }}", "{{ lipsum(100000) }}", "{{ cycler }}", "{{ 1.5|round(10**9, 'ceil') ~ 1/0 }}",
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}", "{{ 1 if }}", "{{ nope }}", "{{ 1 / 0 }}", "{{ {'a': 1} }}", "{% set x %}{{ 1 }}{% endset %}",
    "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "x" * (SOURCE_MOST + 1),
    "{{ ['a'] | map(attribute='__class__') | list }}", "{{ 'a'['__class__'] }}", "{{ '' | attr('__class__') }}", "{{ self.__init__ }}",
    "{{ state.__call__('x') }}", "{% for a in [1] %}{{ loop.__class__ }}{% endfor %}", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ range(10**9) }}", "{{ range(9999) | map('sort') | list }}", "{% for i in range(9999) %}{{ range(9999) | sum }}{% endfor %}",
    "{{ range(9999) | map('round', 10**9, 'ceil') | list }}", "{{ 'x' | replace('x', 'y' * 99999) }}", "{{ ['ab'] | sum }}",
]  # fmt: skip


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_bombs_are_refused_at_once_with_a_reason(source: str) -> None:
    began = time.thread_time()
    with pytest.raises(Invalid, match=r"\w+ \w+"):
        TEMPLATES.compile(source).text()
    assert time.thread_time() - began < 0.5


def test_a_template_does_not_fail_because_the_machine_has_much_else_to_do() -> None:
    waiting = Templates({"wait": lambda: time.sleep(WITHIN_S + 0.01) or 1})
    assert waiting.compile("{{ wait() + wait() }}").text() == "2"


def test_truth_and_numbers() -> None:
    assert TEMPLATES.compile("{{ 1 > 0 }}").true()
    assert not TEMPLATES.compile("{{ none }}").true()
    assert TEMPLATES.compile("{{ 1.5 }}").value() == 1.5
    assert TEMPLATES.compile("away").value() == "away"
    with pytest.raises(Invalid, match="expected true or false"):
        TEMPLATES.compile("perhaps").true()
    assert TEMPLATES.compile("{{ state('a.power') }} {{ other(1) }}").asks == {("state", "a.power"), ("other", "1")}
