"""What is calculated in vector registers, against numpy."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numba import njit

from workbench.planning.tree import kernels, registers
from workbench.planning.tree.registers import (
    TILE,
    TURNED,
    equals,
    every,
    greatest,
    if_equal,
    if_greater,
    load,
    load_few,
    lowest,
    store,
    turner,
)


def test_exponentials_are_those_of_numpy() -> None:
    x = np.concatenate([-np.geomspace(1e-9, 690, 4015), np.zeros(1)])
    assert np.allclose(exponentials(x), np.exp(x), rtol=5e-16, atol=0)
    far = exponentials(np.array([-1e4, -np.inf, np.nan] + [0.0] * (TILE - 3)))
    assert (far[:2] < 1e-300).all()
    assert np.isnan(far[2])
    assert (far[3:] == 1).all()


@njit
def exponentials(x: np.ndarray) -> np.ndarray:
    """Of all of x, TILE of them at a time."""
    found = np.empty_like(x)
    for first in range(0, len(x), TILE):
        lanes = load(x[first : first + TILE])
        store(found[first : first + TILE], registers.exponential(lanes))
    return found


def test_lanes_are_calculated_with_and_chosen_between_one_by_one() -> None:
    numbers = np.random.default_rng(0).integers(-3, 4, (2, TILE)).astype(float)
    a, b = numbers
    a[:2] = np.nan, np.inf
    with np.errstate(all="ignore"):
        wanted = [2 - a * b, a / b + 1, np.where(a > b, a, b), np.where(a == b, 7.0, a)]
    found = np.empty((4, TILE))
    calculate(a, b, found)
    assert np.array_equal(found, np.array(wanted), equal_nan=True)


@njit(error_model="numpy")
def calculate(a: np.ndarray, b: np.ndarray, found: np.ndarray) -> None:
    x, y = load(a), load(b)
    store(found[0], 2 - x * y)
    store(found[1], x / y + every(1))
    store(found[2], if_greater(x, y, x, y))
    store(found[3], if_equal(x, y, 7, x))


def test_of_four_numbers_the_greatest_is_found_and_where_it_stands() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        numbers = random.integers(-2, 3, TURNED).astype(float)
        assert first_of_the_greatest(numbers) == (numbers.max(), numbers.argmax())
    assert first_of_the_greatest(np.full(TURNED, np.nan))[1] == 64


@njit
def first_of_the_greatest(numbers: np.ndarray) -> tuple[float, int]:
    four = load_few(numbers)
    return greatest(four), lowest(equals(four, greatest(four)))


def test_numbers_of_records_are_laid_beside_each_other() -> None:
    random = np.random.default_rng(0)
    source, places = random.normal(size=(30, 20)), random.integers(0, 30, TILE).astype(np.uint64)
    target, wanted = np.zeros((2, 18, TILE))
    for number, row in enumerate(ROWS):
        wanted[5 + row] = source[places, 3 + number]
    lay_beside(source, places, target)
    assert np.array_equal(target, wanted)


ROWS = (3, 0, 9, 12, 1, 2, 11, 5)
_turn = turner(ROWS)


@njit
def lay_beside(source: np.ndarray, places: np.ndarray, target: np.ndarray) -> None:
    for lane in range(0, TILE, 8):
        _turn(source, places, lane, 20, 3, target, 5)


def test_the_kernels_change_when_the_registers_do() -> None:
    digest = sha256(Path(registers.__file__).read_bytes()).hexdigest()[:16]
    assert digest == kernels.REGISTERS, "what numba has cached may be stale: write down the digest"
