"""Statistics of timings against hand-computed values, with a clock that the test sets."""

from __future__ import annotations

import itertools

import pytest

from benchmarks import timing
from benchmarks.timing import TimingPairs, quartiles, time_alternately
from benchmarks.where_time_goes import NETWORK, REST, SHOWN, Stopwatch, shares


def test_calls_alternate_after_each_was_called_once_and_timed_once() -> None:
    called: list[str] = []
    pairs = time_alternately(lambda: called.append("A"), lambda: called.append("B"), 3, least=0.0)
    assert "".join(called) == "AABB" + "ABABAB"
    assert len(pairs.measured) == len(pairs.floor) == 3


def test_what_is_short_is_called_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.25)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    called: list[int] = []
    # A call seems to last 0.25 s, so that one second takes four.
    assert timing.time_alone(lambda: called.append(0), 2, least=1.0) == [0.25 / 4] * 2
    assert len(called) == 2 + 2 * 4


def test_the_ratio_is_the_median_over_the_pairs() -> None:
    pairs = TimingPairs([2.0, 4.0, 9.0], [1.0, 4.0, 3.0])
    assert pairs.ratio == 2.0
    seconds = pairs.figure("row", {}, "floor")
    assert (seconds.low, seconds.median, seconds.high) == (3.0, 4.0, 6.5)
    assert (seconds.floor_median, seconds.ratio) == (3.0, 2.0)
    rate = pairs.figure("row", {}, "floor", work=36.0, unit="steps/s")
    assert (rate.low, rate.median, rate.high) == (6.5, 9.0, 13.5)  # of 18, 9 and 4
    assert (rate.floor_median, rate.ratio) == (12.0, 2.0)


def test_quartiles_of_one_are_itself() -> None:
    assert quartiles([3.0]) == (3.0, 3.0, 3.0)


def test_a_part_stands_still_while_another_runs_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_every_part_of_a_training_is_seen_but_a_network_that_the_search_evaluates_itself() -> None:
    found = shares("muzero", 0.3)
    assert [part for part in SHOWN if not found[part]] == [NETWORK]
    assert sum(found.values()) == pytest.approx(1.0)
