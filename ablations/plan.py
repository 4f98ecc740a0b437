"""The plan of a study: its trials with their ids, what is done of it, and what it can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from ablations.study import Study
from workbench.config import TrialConfig, identity
from workbench.errors import ConfigError, Place, Problem, WorkbenchError
from workbench.record import TrialRecord

_Built = TypeVar("_Built")

TRIALS = "trials"

Counter = Callable[[TrialConfig], Mapping[str, int]]
Replay = tuple[int, float]
"""Steps, and the MB that they take."""
Reckoner = Callable[[TrialConfig], Replay | None]
"""Parameters of a trial's model by part: representation, dynamics, prediction, total."""


@dataclass(frozen=True)
class TrialPlan:
    """One trial: a condition with a seed."""

    id: str
    condition: str
    seed: int
    config: TrialConfig
    folder: Path

    @property
    def record(self) -> TrialRecord:
        return TrialRecord(self.folder)

    @property
    def label(self) -> str:
        return f"{self.condition} | seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """Every trial of a study, condition by condition."""

    study: Study
    folder: Path
    trials: tuple[TrialPlan, ...]

    def states(self) -> dict[str, str]:
        """What each trial's folder says: `new`, `partial`, `done` or `failed`."""
        return {trial.id: trial.record.state() for trial in self.trials}

    def missing(self) -> list[TrialPlan]:
        """The trials that a launch would run, seed by seed.

        So the study is balanced over its conditions whenever it is cut short.
        """
        states = self.states()
        order = {seed: index for index, seed in enumerate(self.study.seeds)}
        missing = [trial for trial in self.trials if states[trial.id] != "done"]
        return sorted(missing, key=lambda trial: order[trial.seed])


def make_plan(study: Study, outputs: Path) -> Plan:
    """The trials of a study, in absolute folders below `outputs`.

    Raises:
        ConfigError: two conditions come to the same configuration.
    """
    folder = outputs.resolve() / study.name
    trials: dict[str, TrialPlan] = {}
    for condition in study.conditions:
        for seed in study.seeds:
            config = condition.config.model_copy(update={"seed": seed})
            name = identity(config)
            if name in trials:
                other = trials[name].condition
                text = f"'{other}' and '{condition.name}' are the same trial in every part"
                raise ConfigError([Problem(text, "axes", Place(str(study.file)))])
            trials[name] = TrialPlan(name, condition.name, seed, config, folder / TRIALS / name)
    return Plan(study, folder, tuple(trials.values()))


def smallest_p(seeds: int) -> float:
    """The least two-sided p of an exact sign-flip test on that many pairs."""
    return float(min(1.0, 2 / 2**seeds))


def count_parameters(config: TrialConfig) -> Mapping[str, int]:
    """The workbench's own count; torch is imported here and not before."""
    counts: Mapping[str, int] = import_module("workbench.trial").count_parameters(config)
    return counts


def parameters(study: Study, count: Counter = count_parameters) -> dict[str, int]:
    """By condition, the parameters of the part that the study matches; empty if it matches none."""
    if study.match is None:
        return {}
    part, counts = study.match.part, {}
    for condition in study.conditions:
        counted = _built(study, condition.name, partial(count, condition.config))
        counts[condition.name] = counted[part]
    return counts


def _built(study: Study, condition: str, build: Callable[[], _Built]) -> _Built:
    """What comes of a call that builds the model of a condition, which may be too large."""
    try:
        return build()
    except (MemoryError, RuntimeError) as error:  # torch's word for it, and numpy's
        reason = str(error).splitlines()[0]
        raise WorkbenchError(
            f"{study.file}: the model of condition '{condition}' cannot be built: {reason}"
        ) from None


def replay_memory(config: TrialConfig) -> Replay | None:
    """The workbench's own reckoning; torch is imported here and not before."""
    found: Replay | None = import_module("workbench.trial").replay_memory(config)
    return found


def replays(study: Study, reckon: Reckoner = replay_memory) -> dict[str, Replay]:
    """By condition, the steps that its replay holds and the MB that they take; where it has one.

    Raises:
        WorkbenchError: a replay is too small for what the trial wants of it.
    """
    known: dict[str, Replay | None] = {}
    found = {}
    for condition in study.conditions:
        config = condition.config
        if "capacity" not in type(config.procedure).model_fields:
            continue
        # What a step takes hangs on the world and on what the search tells of it.
        key = repr((config.environment, config.planner, config.procedure))
        if key not in known:
            known[key] = _built(study, condition.name, partial(reckon, config))
        replay = known[key]
        if replay is not None:
            found[condition.name] = replay
    return found


def left_behind(plan: Plan) -> int:
    """How many finished trials lie in the study's folder that are none of the plan's."""
    planned = {trial.folder.name for trial in plan.trials}
    there = (plan.folder / TRIALS).glob("*")
    return sum(f.name not in planned and TrialRecord(f).state() == "done" for f in there)


def older_code(plan: Plan) -> int:
    """How many of the trials done were trained, in part or all of it, by other code than this."""
    results = [trial.record.result() for trial in plan.trials]
    done = [result for result in results if result is not None]
    if not done:
        return 0
    now = import_module("workbench.trial").code_digest()
    return sum(result.get("code") != now for result in done)


def check_match(study: Study, counts: Mapping[str, int]) -> None:
    """The conditions agree in size as declared: the largest exceeds the smallest by no more.

    Raises:
        WorkbenchError: they do not; the message says what each of them has.
    """
    if study.match is None or not counts:
        return
    low, high = min(counts.values()), max(counts.values())
    if high > low * (1 + study.match.tolerance):
        spread = f"{high / low - 1:.1%}" if low else "without bound"
        listed = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
        raise WorkbenchError(
            f"{study.file}: match: parameters of the {study.match.part} differ by {spread}, more "
            f"than the declared {study.match.tolerance:.1%} ({listed}); change the widths"
        )


def seconds_left(trials: Sequence[TrialPlan], plan: Plan, concurrent: int) -> float | None:
    """How long `trials` may take, from the trials that are done; None while there is none."""
    taken: dict[str, list[float]] = {}
    for trial in plan.trials:
        result = trial.record.result()
        if result is not None and "seconds" in result:
            spent = float(result["seconds"]) + float(result.get("evaluation_seconds", 0.0))
            taken.setdefault(trial.condition, []).append(spent)
    if not taken:
        return None
    means = {condition: fmean(seconds) for condition, seconds in taken.items()}
    overall = fmean(means.values())
    return sum(means.get(trial.condition, overall) for trial in trials) / concurrent
