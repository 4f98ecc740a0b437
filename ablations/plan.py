"""Plan of a study: its trials with ids and states, and what they can show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from ablations.study import Study
from workbench.cache import remembered
from workbench.code_version import code_digest, code_files
from workbench.config import SCHEMA_VERSION, TrialConfig, identity
from workbench.errors import ConfigError, Problem, SourceLocation, WorkbenchError
from workbench.record import TrialRecord

_Built = TypeVar("_Built")

TRIALS = "trials"
LARGE_MB = 1024

ParameterCounter = Callable[[TrialConfig], Mapping[str, int]]
ReplaySize = tuple[int, float]
"""Steps, and their size in MB."""
ReplayEstimator = Callable[[TrialConfig], ReplaySize | None]
"""Estimates the replay size of a trial; None if it has no replay buffer."""


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
        """Files of the trial."""
        return TrialRecord(self.folder, self.id)

    @property
    def label(self) -> str:
        """Condition and seed, for display."""
        return f"{self.condition} | seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All trials of a study, ordered by condition."""

    study: Study
    folder: Path
    trials: tuple[TrialPlan, ...]

    def states(self) -> dict[str, str]:
        """Return the state of each trial's folder: `new`, `partial`, `done` or `failed`."""
        return {trial.id: trial.record.state() for trial in self.trials}

    def missing(self) -> list[TrialPlan]:
        """Return the trials that a launch would run, ordered by seed.

        This order keeps the study balanced over its conditions if it is stopped early.
        """
        states = self.states()
        order = {seed: index for index, seed in enumerate(self.study.seeds)}
        missing = [trial for trial in self.trials if states[trial.id] != "done"]
        return sorted(missing, key=lambda trial: order[trial.seed])


def make_plan(study: Study, outputs: Path) -> Plan:
    """Return the trials of a study, in absolute folders below `outputs`.

    Raises:
        ConfigError: two conditions have the same configuration.
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
                raise ConfigError([Problem(text, "axes", SourceLocation(str(study.file)))])
            trials[name] = TrialPlan(name, condition.name, seed, config, folder / TRIALS / name)
    return Plan(study, folder, tuple(trials.values()))


def smallest_p(seeds: int) -> float:
    """Return the smallest two-sided p of an exact sign-flip test on `seeds` pairs."""
    return float(min(1.0, 2 / 2**seeds))


def count_parameters(config: TrialConfig) -> Mapping[str, int]:
    """Count parameters by `workbench.trial`, which imports torch, unless the count is known."""

    def count() -> Mapping[str, int]:
        counts: Mapping[str, int] = import_module("workbench.trial").count_parameters(config)
        return counts

    return remembered("parameters", config, count)


def matched_parameters(study: Study, count: ParameterCounter = count_parameters) -> dict[str, int]:
    """Return the matched part's parameters by condition; empty if the study matches nothing."""
    if study.match is None:
        return {}
    part, counts = study.match.part, {}
    for condition in study.conditions:
        counted = built(_place(study, condition.name), partial(count, condition.config))
        counts[condition.name] = counted[part]
    return counts


def check_models(study: Study, count: ParameterCounter = count_parameters) -> None:
    """Build the model of every condition, so that none fails after hours of others.

    Raises:
        WorkbenchError: some cannot be built; each has a line.
    """
    problems, known = [], set[str]()
    for condition in study.conditions:
        config = condition.config
        key = repr((config.environment, config.model))
        if key in known:
            continue
        known.add(key)
        try:
            built(_place(study, condition.name), partial(count, config))
        except WorkbenchError as error:
            problems.append(str(error))
    if problems:
        raise WorkbenchError("\n".join(problems))


def _place(study: Study, condition: str) -> str:
    return f"{study.file}: condition '{condition}'"


def built(place: str, build: Callable[[], _Built]) -> _Built:
    """Return the result of a call that builds a part of a trial, which may be too large.

    Raises:
        WorkbenchError: it cannot be built; the message begins with `place`.
    """
    try:
        return build()
    except WorkbenchError as error:
        raise WorkbenchError(f"{place}: {error}") from None
    except Exception as error:  # of torch, of numpy, or of a plug-in
        raise WorkbenchError(f"{place}: the trial cannot be built: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    text = (str(error) or "there is too little memory").splitlines()[0]
    wanted = re.search(r"tried to allocate (\d+) bytes", text)
    if wanted is not None:  # torch's message also holds a line of its source
        return f"{int(wanted[1]) / 1e9:,.1f} GB do not fit the memory; reduce the sizes"
    kind = "" if isinstance(error, MemoryError | RuntimeError) else f"{type(error).__name__}: "
    return f"{kind}{text}"


def replay_memory(config: TrialConfig) -> ReplaySize | None:
    """Estimate the replay size by `workbench.trial`, which imports torch, unless it is known."""

    def estimate() -> list[float] | None:
        found: ReplaySize | None = import_module("workbench.trial").replay_memory(config)
        return None if found is None else list(found)

    # Whether there is memory for a large buffer is tested every time, by allocating it.
    found = remembered("replay", config, estimate, lambda size: not size or size[1] < LARGE_MB)
    return None if found is None else (int(found[0]), found[1])


def replay_sizes(study: Study, reckon: ReplayEstimator = replay_memory) -> dict[str, ReplaySize]:
    """Return steps and MB of the replay buffer by condition, where there is one.

    Raises:
        WorkbenchError: a replay buffer is too small for its trial.
    """
    known: dict[str, ReplaySize | None] = {}
    found = {}
    for condition in study.conditions:
        config = condition.config
        if "capacity" not in type(config.procedure).model_fields:
            continue
        # The size of a step depends on environment, planner and procedure.
        key = repr((config.environment, config.planner, config.procedure))
        if key not in known:
            known[key] = built(_place(study, condition.name), partial(reckon, config))
        replay = known[key]
        if replay is not None:
            found[condition.name] = replay
    return found


def left_behind(plan: Plan) -> int:
    """Return the number of finished trials in the study's folder that are not part of the plan."""
    planned = {trial.folder.name for trial in plan.trials}
    there = (plan.folder / TRIALS).glob("*")
    return sum(f.name not in planned and TrialRecord(f).state() == "done" for f in there)


def check_schema(plan: Plan) -> None:
    """Refuse a study's folder that holds finished trials of another schema.

    Their ids differ from those of the plan, so a launch would train every trial again and replace
    `study.json`, by which reports find the finished ones.

    Raises:
        WorkbenchError: the folder holds such trials.
    """
    results = [TrialRecord(folder).result() for folder in (plan.folder / TRIALS).glob("*")]
    older = [r for r in results if r and r.get("schema", SCHEMA_VERSION) != SCHEMA_VERSION]
    if older:
        raise WorkbenchError(
            f"{plan.folder}: holds {len(older)} finished trials of schema "
            f"{older[0].get('schema')}, which this version (schema {SCHEMA_VERSION}) can report "
            f"but not continue; rename the "
            "study in its file, choose another folder with --outputs, or move this one away"
        )


def older_code(plan: Plan) -> int:
    """Return the number of finished trials that were trained, partly or wholly, by other code."""
    return sum(
        result.get("code") != code_digest(code_files(trial.config))
        for trial in plan.trials
        if (result := trial.record.result()) is not None
    )


def check_match(study: Study, counts: Mapping[str, int]) -> None:
    """Check that the conditions agree in size within the declared tolerance.

    Raises:
        WorkbenchError: they do not; the message lists the size of each condition.
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
    """Estimate the seconds that `trials` take, from finished trials; None if there is none."""
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
