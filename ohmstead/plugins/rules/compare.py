"""Comparisons of a value with a threshold, and when one that was met is over again.

Words in YAML (which cannot carry `>`), symbols in JSON. Exactly:

| word | symbol | is met by a value v | without more, is over when |
| --- | --- | --- | --- |
| above x | > | v > x | v <= x |
| at_least x | >= | v >= x | v < x |
| below x | < | v < x | v >= x |
| at_most x | <= | v <= x | v > x |
| equals x | == | v = x, exactly | v is another |
| differs x | != | v is not x | v = x |
| between [x, y] | between | x <= v <= y, both ends included | v < x or v > y |

`clear_below: c` (of above and at_least) says that it is over only once v < c; `clear_above: c` (of below and at_most)
once v > c. `hysteresis: h` is the same as clear_below x − h or clear_above x + h; a between is then over once v < x − h
or v > y + h. Only `equals` and `differs` compare texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import inf, nextafter
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import amount
from ohmstead.core.quantity import Kind

Value = float | str
Test = Callable[[Any], bool]

SYMBOLS = {"above": ">", "below": "<", "at_least": ">=", "at_most": "<=", "equals": "==", "differs": "!=", "between": "between"}
WORDS = {symbol: word for word, symbol in SYMBOLS.items()}
RISING, FALLING = ("above", "at_least"), ("below", "at_most")
CLEARS = ("hysteresis", "clear_below", "clear_above")
MOST = Decimal(10) ** 12
TEXT_MOST = 200  # letters


class Comparison(msgspec.Struct, frozen=True):
    """`word` of SYMBOLS, the threshold, and the upper end of a between.

    Once met, it is over when a value is less than `clear_below` or greater than `clear_above`; with neither, when a
    value does not meet it.
    """

    word: str
    value: Value
    high: float | None = None
    clear_below: float | None = None
    clear_above: float | None = None

    def enters(self) -> Test:
        """Whether a value meets it. A plain function of the value."""
        x: Any = self.value
        y: Any = self.high
        tests: dict[str, Test] = {
            "above": lambda v: v > x, "at_least": lambda v: v >= x, "below": lambda v: v < x, "at_most": lambda v: v <= x,
            "equals": lambda v: v == x, "differs": lambda v: v != x, "between": lambda v: x <= v <= y,
        }  # fmt: skip
        return tests[self.word]

    def leaves(self) -> Test:
        """Whether a value ends it once it was met. A plain function of the value."""
        low, high, enters = self.clear_below, self.clear_above, self.enters()
        if low is not None and high is not None:
            return lambda v: v < low or v > high
        if low is not None:
            return lambda v: v < low
        if high is not None:
            return lambda v: v > high
        return lambda v: not enters(v)

    def band(self, met: bool, value: float) -> tuple[float, float]:
        """The numbers on this side of its thresholds, both ends included, that change nothing while it is `met` or not.

        `value` tells the side where there are two. Only of a comparison of numbers.
        """
        if met and not (self.clear_below is None and self.clear_above is None):
            return _or(self.clear_below, -inf), _or(self.clear_above, inf)
        low, high = self._span()
        if met != (self.word == "differs"):
            return low, high
        return (-inf, nextafter(low, -inf)) if value < low else (nextafter(high, inf), inf)

    def _span(self) -> tuple[float, float]:
        """From the least number that meets it to the greatest; of `differs`, those that do not."""
        x: Any = self.value
        if self.word in RISING:
            return (nextafter(x, inf) if self.word == "above" else x), inf
        if self.word in FALLING:
            return -inf, (nextafter(x, -inf) if self.word == "below" else x)
        return x, _or(self.high, x)

    def fit(self, kind: Kind) -> Comparison:
        """The same for values of that kind of quantity. ValueError where it cannot be, with what would be right."""
        if kind is Kind.TEXT:
            if self.word not in ("equals", "differs"):
                raise ValueError(f"{self.word} compares numbers, and this quantity is a text; use equals or differs")
            return msgspec.structs.replace(self, value=shown(self.value))
        if isinstance(self.value, str):
            try:
                return msgspec.structs.replace(self, value=float(amount.number(self.value)))
            except ValueError as error:
                raise ValueError(f"{self.word}: this quantity is a number, and {error}") from None
        return self

    def json(self) -> dict[str, Any]:
        """For the API: comparison (a symbol), threshold, and where it is over if that differs."""
        threshold = self.value if self.high is None else [self.value, self.high]
        clears = {"clear_below": self.clear_below, "clear_above": self.clear_above}
        return {"comparison": SYMBOLS[self.word], "threshold": threshold, **{key: v for key, v in clears.items() if v is not None}}

    def __str__(self) -> str:
        words = self.word.replace("_", " ")
        return f"{words} {shown(self.value)}" + (f" and {shown(self.high)}" if self.high is not None else "")


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def shown(value: Value) -> str:
    """A value for people: numbers without a needless point."""
    return value if isinstance(value, str) else f"{value:.10g}"


def limit(value: Any) -> float:
    """A threshold: a finite number up to 10^12 either way."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise vol.Invalid("expected a number")
    if isinstance(value, int) and abs(value) > MOST:
        raise vol.Invalid("expected a number up to 1000000000000")
    try:
        number = amount.number(str(value))
    except ValueError:
        raise vol.Invalid("expected a number such as 50 or 2.5") from None
    if abs(number) > MOST:
        raise vol.Invalid("expected a number up to 1000000000000")
    return float(number)


def slack(value: Any) -> float:
    """A hysteresis: a number, 0 or more."""
    found = limit(value)
    if found < 0:
        raise vol.Invalid("expected 0 or more")
    return found


def word_or_number(value: Any) -> Value:
    """What something equals: a number, or a text of at most 200 letters."""
    if isinstance(value, str) and 0 < len(value) <= TEXT_MOST:
        return value
    if isinstance(value, str):
        raise vol.Invalid(f"expected a number or a text of at most {TEXT_MOST} letters")
    return limit(value)


def span(value: Any) -> tuple[float, float]:
    """Both ends of a between."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise vol.Invalid("expected both ends, such as [10, 20]")
    low, high = limit(value[0]), limit(value[1])
    if low >= high:
        raise vol.Invalid(f"expected the lower end first, such as [{shown(min(low, high))}, {shown(max(low, high) + (low == high))}]")
    return low, high


SCHEMA: dict[Any, Any] = {  # the keys of YAML, to be spread into the schema of whatever compares
    vol.Optional("above", description="met by a value greater than this"): limit,
    vol.Optional("below", description="met by a value less than this"): limit,
    vol.Optional("at_least", description="met by this value or a greater one"): limit,
    vol.Optional("at_most", description="met by this value or a lesser one"): limit,
    vol.Optional("equals", description="met by exactly this value"): word_or_number,
    vol.Optional("differs", description="met by every other value"): word_or_number,
    vol.Optional("between", description="met from the first of two values to the second, both included"): span,
    vol.Optional("hysteresis", description="how far the value must come back before it is over"): slack,
    vol.Optional("clear_below", description="over only once the value is less than this"): limit,
    vol.Optional("clear_above", description="over only once the value is greater than this"): limit,
}
KEYS = frozenset(str(key) for key in SCHEMA)


def stated(options: Mapping[str, Any]) -> Comparison | None:
    """The comparison among validated options; None when there is none. vol.Invalid where it contradicts itself."""
    words = [word for word in SYMBOLS if word in options]
    clears = [key for key in CLEARS if key in options]
    if not words:
        if clears:
            raise vol.Invalid("belongs to a comparison; state above, below, at_least, at_most or between beside it", [clears[0]])
        return None
    if len(words) > 1:
        raise vol.Invalid(f"expected one comparison, and {words[0]} is there too; for both ends write between: [low, high]", [words[1]])
    if len(clears) > 1:
        raise vol.Invalid(f"says the same as {clears[0]}; state one of them", [clears[1]])
    word, given = words[0], options[words[0]]
    value, high = given if word == "between" else (given, None)
    low_clear, high_clear = _clears(word, value, high, clears[0], options[clears[0]]) if clears else (None, None)
    return Comparison(word, value, high, low_clear, high_clear)


def of_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """The words of YAML for what JSON says by `comparison` and `threshold`. vol.Invalid for a symbol nobody knows."""
    rest = {key: value for key, value in options.items() if key not in ("comparison", "threshold")}
    if "comparison" not in options:
        return rest
    symbol = options["comparison"]
    word = WORDS.get(symbol, symbol) if isinstance(symbol, str) else symbol
    if word not in SYMBOLS:
        raise vol.Invalid(f"expected one of {', '.join(WORDS)}", ["comparison"])
    if "threshold" not in options:
        raise vol.Invalid("is missing", ["threshold"])
    return {**rest, word: options["threshold"]}


def _clears(word: str, value: Any, high: float | None, key: str, given: float) -> tuple[float | None, float | None]:
    """clear_below and clear_above, of whatever says so."""
    right = {"clear_below": RISING, "clear_above": FALLING, "hysteresis": (*RISING, *FALLING, "between")}[key]
    if word not in right:
        raise vol.Invalid(f"does not go with {word}; it belongs to {', '.join(right[:-1])} or {right[-1]}", [key])
    if key == "hysteresis":
        low, top = _sum(value, -given), _sum(value if high is None else high, given)
        return (None if word in FALLING else low), (None if word in RISING else top)
    if (given > value) if key == "clear_below" else (given < value):
        side = "at most" if key == "clear_below" else "at least"
        raise vol.Invalid(f"expected {side} {shown(value)}, the threshold: else it would be over before it was met", [key])
    return (given, None) if key == "clear_below" else (None, given)


def _sum(value: float, by: float) -> float:
    """As people add: 50.1 and -2.8 are 47.3."""
    return float(Decimal(str(value)) + Decimal(str(by)))
