"""SIMD operations against numpy."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numba import njit

from workbench.planning.tree import kernels, simd
from workbench.planning.tree.simd import (
    EDGES_PER_GROUP,
    TREES_PER_TILE,
    any_above,
    equals,
    fma,
    if_equal,
    if_greater,
    load,
    load_few,
    lowest_bit,
    max_of_four,
    store,
    to_float32,
    to_float64,
    to_uint32,
    transpose_records,
)
from workbench.planning.tree.trees import field_offset


def test_exponentials_equal_numpy() -> None:
    x = np.concatenate([-np.geomspace(1e-9, 86.9, 4015), np.zeros(1)]).astype(np.float32)
    assert np.allclose(exponentials(x), np.exp(x.astype(float)), rtol=4e-7, atol=0)
    far = exponentials(np.array([-1e4, -np.inf, np.nan] + [0.0] * (TREES_PER_TILE - 3), np.float32))
    assert (far[:2] < 2e-38).all()
    assert np.isnan(far[2])
    assert (far[3:] == 1).all()


@njit
def exponentials(x: np.ndarray) -> np.ndarray:
    """Apply the operation to all of x, one tile at a time."""
    found = np.empty_like(x)
    for first in range(0, len(x), TREES_PER_TILE):
        lanes = load(x[first : first + TREES_PER_TILE])
        store(found[first : first + TREES_PER_TILE], simd.exponential(lanes))
    return found


def test_lanes_are_computed_and_selected_elementwise() -> None:
    numbers = np.random.default_rng(0).integers(-3, 4, (2, TREES_PER_TILE)).astype(float)
    numbers[0, :2] = np.nan, np.inf
    for kind in (np.float64, np.float32):
        a, b = numbers.astype(kind)
        with np.errstate(all="ignore"):
            expected = [2 - a * b, a / b + 1, np.where(a > b, a, b), np.where(a == b, 7, a)]
        found = np.empty((4, TREES_PER_TILE), kind)
        calculate(a, b, found)
        assert np.array_equal(found, np.array(expected, kind), equal_nan=True)


@njit(error_model="numpy")
def calculate(a: np.ndarray, b: np.ndarray, found: np.ndarray) -> None:
    x, y = load(a), load(b)
    store(found[0], 2 - x * y)
    store(found[1], 1 + x / y)
    store(found[2], if_greater(x, y, x, y))
    store(found[3], if_equal(x, y, 7, x))


def test_float32_and_float64_convert_and_select_each_other() -> None:
    random = np.random.default_rng(0)
    doubles, singles = (
        random.normal(size=TREES_PER_TILE),
        random.normal(size=TREES_PER_TILE).astype(np.float32),
    )
    narrow, wide = np.empty((2, TREES_PER_TILE), np.float32), np.empty((2, TREES_PER_TILE))
    convert(doubles, singles, narrow, wide)
    assert np.array_equal(
        narrow, [doubles.astype(np.float32), np.full(TREES_PER_TILE, np.float32(0.1))]
    )
    assert np.array_equal(wide, [singles, np.where(singles > 0, doubles, 0.5)])


@njit
def convert(doubles: np.ndarray, singles: np.ndarray, narrow: np.ndarray, wide: np.ndarray) -> None:
    store(narrow[0], to_float32(load(doubles)))
    store(narrow[1], to_float32(0.1))
    store(wide[0], to_float64(load(singles)))
    store(wide[1], if_greater(load(singles), 0.0, load(doubles), to_float64(0.5)))


def test_integer_lanes_are_selected_unchanged() -> None:
    random = np.random.default_rng(0)
    x, counts = (
        random.normal(size=TREES_PER_TILE).astype(np.float32),
        np.arange(TREES_PER_TILE, dtype=np.uint32) << 27,
    )
    found = np.empty(TREES_PER_TILE, np.uint32)
    choose_counts(x, counts, found)
    assert np.array_equal(found, np.where(x > 0, counts, 7))


@njit
def choose_counts(x: np.ndarray, counts: np.ndarray, found: np.ndarray) -> None:
    store(found, if_greater(load(x), 0.0, load(counts), to_uint32(7)))


def test_any_greater_compares_all_lanes() -> None:
    for kind in (np.float64, np.float32):
        for lane in range(TREES_PER_TILE):
            numbers = np.zeros(TREES_PER_TILE, kind)
            assert not is_any_above(numbers, 0.0)
            numbers[lane] = 1e-30
            assert is_any_above(numbers, 0.0)
            assert not is_any_above(numbers, 1e-30)
    assert not is_any_above(np.full(TREES_PER_TILE, np.nan), 0.0)


@njit
def is_any_above(numbers: np.ndarray, number: float) -> bool:
    found: bool = any_above(load(numbers), number)
    return found


def test_fma_rounds_once() -> None:
    a, found = np.full(TREES_PER_TILE, 1 + 2.0**-30), np.empty(TREES_PER_TILE)
    add_product(a, found)
    assert (np.abs(found - 2.0**-60) <= 2.0**-60).all()  # 2^-60, or 0 without such an instruction


@njit
def add_product(a: np.ndarray, found: np.ndarray) -> None:
    store(found, fma(load(a), load(a), -(1 + 2.0**-29)))


def test_argmax_of_four_numbers_is_found() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        numbers = random.integers(-2, 3, EDGES_PER_GROUP).astype(float)
        assert first_of_the_greatest(numbers) == (numbers.max(), numbers.argmax())
    assert first_of_the_greatest(np.full(EDGES_PER_GROUP, np.nan))[1] == 64


@njit
def first_of_the_greatest(numbers: np.ndarray) -> tuple[float, int]:
    four = load_few(numbers)
    return max_of_four(four), lowest_bit(equals(four, max_of_four(four)))


RECORD = np.dtype([("first", "i4"), ("singles", "f4", (8,)), ("doubles", "f8", (4,))])
ROW = np.dtype(
    [(name, kind, (TREES_PER_TILE,)) for name, kind in (("b", "f4"), ("a", "f8"), ("c", "f4"))]
)


def test_records_are_transposed() -> None:
    random = np.random.default_rng(0)
    source, places = (
        np.zeros((30, 2), RECORD),
        random.integers(0, 30, TREES_PER_TILE).astype(np.uint64),
    )
    for name in ("singles", "doubles"):
        source[name] = random.normal(size=source[name].shape)
    rows = np.zeros(5, ROW)
    lay_beside(source, places, rows[1:])
    assert rows[:1].tobytes() == bytes(ROW.itemsize)
    found = source[places, 1]
    assert np.array_equal(rows["a"][1:].T, found["doubles"])
    assert np.array_equal(rows["b"][1:].T, found["singles"][:, :4])
    assert np.array_equal(rows["c"][1:].T, found["singles"][:, 4:])


_transpose = transpose_records(
    RECORD.itemsize,
    field_offset(RECORD, "doubles"),
    field_offset(RECORD, "singles"),
    ROW.itemsize,
    [field_offset(ROW, name) for name in "abc"],
)


@njit
def lay_beside(source: np.ndarray, places: np.ndarray, rows: np.ndarray) -> None:
    _transpose(source, places, 2, 1, rows)


def test_kernels_state_the_digest_of_simd() -> None:
    digest = sha256(Path(simd.__file__).read_bytes()).hexdigest()[:16]
    assert digest == kernels.SIMD_DIGEST, "numba's cache may be stale: update SIMD_DIGEST"
