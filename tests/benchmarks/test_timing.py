"""Statistics of timings against hand-computed values, with a clock that the test sets."""

from __future__ import annotations

import itertools

import pytest

from benchmarks import timing
from benchmarks.timing import TimingPairs, quartiles, time_alternately
from benchmarks.where_time_goes import NETWORK, REST, SHOWN, Stopwatch, shares


def test_calls_alternate_after_one_warm_up_and_one_timing_each() -> None:
    called: list[str] = []
    pairs = time_alternately(lambda: called.append("A"), lambda: called.append("B"), 3, least=0.0)
    assert "".join(called) == "AABB" + "ABABAB"
    assert len(pairs.measured) == len(pairs.floor) == 3


def test_short_calls_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.25)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    called: list[int] = []
    # A call seems to last 0.25 s, so that one second takes four.
    assert timing.time_alone(lambda: called.append(0), 2, least=1.0) == [0.25 / 4] * 2
    assert len(called) == 2 + 2 * 4


def test_ratio_is_the_median_over_the_pairs() -> None:
    pairs = TimingPairs([2.0, 4.0, 9.0], [1.0, 4.0, 3.0])
    assert pairs.ratio == 2.0
    seconds = pairs.figure("row", {}, "floor")
    assert (seconds.low, seconds.median, seconds.high) == (3.0, 4.0, 6.5)
    assert (seconds.floor_median, seconds.ratio) == (3.0, 2.0)
    rate = pairs.figure("row", {}, "floor", work=36.0, unit="steps/s")
    assert (rate.low, rate.median, rate.high) == (6.5, 9.0, 13.5)  # of 18, 9 and 4
    assert (rate.floor_median, rate.ratio) == (12.0, 2.0)


def test_quartiles_of_one_value_are_the_value() -> None:
    assert quartiles([3.0]) == (3.0, 3.0, 3.0)


def test_stopwatch_pauses_a_part_during_nested_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("benchmarks.where_time_goes.time.perf_counter", lambda: clock[0])

    def spend(seconds: float) -> None:
        clock[0] += seconds

    watch = Stopwatch()
    inner = watch.timed(spend, "inner", inside="outer")

    def outer() -> None:
        spend(1.0)
        inner(2.0)
        spend(4.0)

    watch.timed(outer, "outer", inside=None)()
    inner(8.0)  # not inside the other: it counts for whoever calls it
    watch.lap()
    assert watch.seconds == {"outer": 5.0, "inner": 2.0, REST: 8.0}


def test_every_part_is_timed_except_a_compiled_network() -> None:
    found = shares("muzero", 0.3)
    assert [part for part in SHOWN if not found[part]] == [NETWORK]
    assert sum(found.values()) == pytest.approx(1.0)
