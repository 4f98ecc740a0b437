"""Facts about configurations that are computed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench import cache
from workbench.config import TrialConfig, preset, read_trial
from workbench.registry import register, unregister


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrialConfig:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return read_trial(preset("muzero"))


def never() -> int:
    raise AssertionError("computed again")


def test_a_fact_is_computed_once_for_each_name_and_trial(trial: TrialConfig) -> None:
    assert cache.remembered("parameters", trial, lambda: {"total": 3}) == {"total": 3}
    assert cache.remembered("parameters", trial, never) == {"total": 3}
    assert cache.remembered("steps", trial, lambda: 4) == 4
    other = trial.model_copy(update={"threads": 2})
    assert cache.remembered("parameters", other, lambda: {"total": 5}) == {"total": 5}


def test_a_fact_is_computed_again_when_the_code_has_changed(
    trial: TrialConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.remembered("parameters", trial, lambda: 1)
    monkeypatch.setattr(cache, "_code", lambda: "another")
    assert cache.remembered("parameters", trial, lambda: 2) == 2


def test_a_fact_that_depends_on_a_plug_in_is_computed_every_time(trial: TrialConfig) -> None:
    base = type(trial.planner)

    @register("planner", "of_a_plug_in")
    class Planner(base):  # type: ignore[misc, valid-type]
        """A planner of another package."""

    try:
        plugged = trial.model_copy(update={"planner": Planner()})
        found = [cache.remembered("parameters", plugged, lambda n=n: n) for n in (1, 2)]
    finally:
        unregister("planner", "of_a_plug_in")
    assert found == [1, 2]


@pytest.mark.parametrize("content", ["", "[]", '{"code": 1}', "\x00"])
def test_a_damaged_or_unwritable_file_is_no_error(
    trial: TrialConfig, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = cache.folder() / cache.FACTS
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert cache.remembered("parameters", trial, lambda: 1) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert cache.remembered("parameters", trial, lambda: 2) == 2


def test_a_value_that_must_not_be_kept_is_computed_again(trial: TrialConfig) -> None:
    assert cache.remembered("replay", trial, lambda: 10, lambda size: size < 10) == 10
    assert cache.remembered("replay", trial, lambda: 3, lambda size: size < 10) == 3
