"""Sharing an amount out over slots in integers: the share of each is the floor of the cumulative one, so nothing is lost."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise


def by_weight(amount: int, weights: Sequence[int]) -> array[int]:
    """`amount` in proportion to the weights; they are not negative and not all zero."""
    whole = sum(weights)
    return array("q", _steps(amount * running // whole for running in accumulate(weights)))


def scaled(amounts: Iterable[int], ratio: Fraction) -> array[int]:
    """Each amount times `ratio`; the sum is the floor of the sum times `ratio`."""
    over, under = ratio.numerator, ratio.denominator
    return array("q", _steps(running * over // under for running in accumulate(amounts)))


def _steps(levels: Iterable[int]) -> Iterable[int]:
    return (high - low for low, high in pairwise((0, *levels)))
