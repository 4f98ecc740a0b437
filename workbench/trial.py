"""Running one trial: build, train, measure. Uses neither Ray nor MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from workbench import documents, host
from workbench.code_version import code_digest, code_files
from workbench.config import (
    SCHEMA_VERSION,
    TrialConfig,
    dump,
    identity,
    iter_components,
    read_trial,
)
from workbench.contracts import Loss, Measure, Procedure, TrialParts
from workbench.errors import InvalidReading, TrialNeverLearned, TrialStopped, WorkbenchError
from workbench.models.world_model import WorldModel
from workbench.models.world_model import count_parameters as parameters_of
from workbench.randomness import Streams, seeded
from workbench.record import CHECKPOINT, CONFIG, RESULT, MeasuredRow, TrialRecord
from workbench.result_files import DamagedFile, MixedTrials, stored_config_id
from workbench.training import checkpoint

OnMeasurement = Callable[[float, Mapping[str, float | None]], None]
"""Callback after each measurement, with the completed fraction and the latest metrics."""
OnStatus = Callable[[str, float], None]
"""Callback with the current activity and the completed fraction of the training."""


def run_trial(
    config: TrialConfig,
    folder: Path,
    on_measurement: OnMeasurement | None = None,
    on_status: OnStatus = lambda activity, fraction: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train and measure one agent in `folder`, resuming from a checkpoint if there is one.

    Args:
        config: configuration of the trial.
        folder: folder of the trial, created if missing.
        on_measurement: called after every measurement.
        on_status: called before every measurement and every round of training, and while the
            measures are built.
        should_stop: called before every round of training; if true, the trial saves a checkpoint
            and stops.

    Returns:
        the contents of `result.json`.

    Raises:
        TrialFailed: training produced a non-finite number or made no update, or a measure returned
            something that is no number.
        TrialTakenOver: another process began to run the trial in the same folder.
        TrialStopped: `should_stop` returned true; the checkpoint holds all progress.
        WorkbenchError: the folder holds another trial, or its checkpoint cannot be read.
    """
    record = TrialRecord(folder)
    done, damage = _trusted(record.read_result)
    if done is not None:
        _check_identity(record, RESULT, done, config)
        return done
    host.configure(config.threads)
    host.reset_peak_memory()
    parts = build(config)
    measures = _build_measures(parts, on_status)
    procedure = config.procedure.build(parts)
    state, lost = _trusted(partial(checkpoint.load, record.checkpoint))
    if state is not None:
        _check_identity(record, CHECKPOINT, state, config)
    record.start(dump(config))
    clock = _resume(record, state, parts, procedure)
    clock.damage += [*damage, *(f"{text}; the trial started again" for text in lost)]
    for text in clock.damage:
        on_status(f"Warning: {text}", procedure.fraction)
    del state  # it holds a second copy of the replay buffer
    row = record.last_row()
    while True:
        if should_stop():
            clock.add_training_time()
            _save(record, parts, procedure, clock)
            raise TrialStopped(f"{folder}: stopped after {procedure.steps} steps")
        if clock.is_due(procedure):
            on_status("measuring", procedure.fraction)
            row = _measure(procedure, measures, parts, clock)
            at = {"step": procedure.steps, "updates": procedure.updates}
            clock.rows.append(record.append({**at, **row}, clock.row))
            _save(record, parts, procedure, clock)
            record.progress(procedure.fraction, row)
            if on_measurement:
                on_measurement(procedure.fraction, row)
        if procedure.fraction >= 1:
            break
        on_status("training", procedure.fraction)
        procedure.advance()
    _check_updates(config, procedure)
    result = _result(config, parts, procedure, measures, clock, row)
    record.finish(result)
    return result


def _save(record: TrialRecord, parts: TrialParts, procedure: Procedure, clock: _Clock) -> None:
    record.check_owner()
    checkpoint.save(record.checkpoint, _state(parts, procedure, clock))


def _check_updates(config: TrialConfig, procedure: Procedure) -> None:
    """Refuse to pass off a model as trained that still has its initial weights."""
    if config.procedure.makes_updates and not procedure.updates:
        reason = getattr(procedure, "why_no_update", str)() or "it never had enough data for one"
        raise TrialNeverLearned(
            f"procedure '{config.procedure.component}' ended after {procedure.steps:,} steps "
            f"without a single update: {reason}"
        )


def _trusted(
    read: Callable[[], dict[str, Any] | None],
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what `read` returns, or None and the message if its file is damaged."""
    try:
        return read(), []
    except DamagedFile as error:
        return None, [str(error)]


def build(config: TrialConfig) -> TrialParts:
    """Build everything but the procedure and the measures.

    Its random streams depend only on the seed.

    Raises:
        WorkbenchError: the device is not available on this machine.
    """
    _check_device(config.device)
    environment = config.environment.build()
    model = config.model.build(environment, config.environment.discount, config.seed)
    return TrialParts(
        config=config,
        environment=environment,
        model=model.to(config.device),
        planner=config.planner.build(environment.spec),
        losses={name: _loss(config, name, model) for name in config.losses},
        targets={name: target.build() for name, target in config.targets.items()},
        streams=Streams(config.seed),
    )


def _check_device(name: str) -> None:
    backend = {"cuda": torch.cuda, "mps": torch.backends.mps}.get(name)
    if backend is not None and not backend.is_available():
        raise WorkbenchError(f"device '{name}' is not available here; set `device: cpu`")


def _build_measures(parts: TrialParts, on_status: OnStatus) -> dict[str, Measure]:
    measures = {}
    for name, measure in parts.config.measures.items():
        on_status(f"preparing measure '{name}'", 0.0)
        measures[name] = measure.build(parts)
    return measures


def load_agent(folder: Path) -> tuple[TrialParts, WorldModel]:
    """Load the objects of the trial in `folder`, and its agent from the last checkpoint.

    Raises:
        WorkbenchError: there is no trial or no complete checkpoint, or its version differs.
    """
    record = TrialRecord(folder)
    record.read_result()  # raises an error if it belongs to another trial
    parts = build(read_trial(documents.load(folder / CONFIG)))
    procedure = parts.config.procedure.build(parts)
    try:
        state = checkpoint.load(record.checkpoint)
    except DamagedFile as error:
        text = f"{error}; remove it and {RESULT} to train the trial again"
        raise WorkbenchError(text) from None
    if state is None:
        raise WorkbenchError(f"{record.checkpoint}: there is no checkpoint")
    check_schema(record, state)
    configured = stored_config_id(folder / CONFIG, state["schema"])
    if state["id"] != configured:
        raise MixedTrials(
            f"{record.checkpoint}: is the checkpoint of trial {state['id']}, but {CONFIG} beside "
            f"it describes trial {configured}, so one of them was edited or belongs elsewhere; put "
            "the right file back, or train the trial again in a new folder"
        )
    _restore(record, state, procedure)
    return parts, procedure.agent.eval()


def _loss(config: TrialConfig, name: str, model: WorldModel) -> Loss:
    """Build a loss, initialising parameters of its own from its own random stream."""
    with seeded(config.seed, f"init/losses/{name}"):
        loss = config.losses[name].build(model)
    return loss.to(config.device) if isinstance(loss, torch.nn.Module) else loss


def count_parameters(config: TrialConfig) -> dict[str, int]:
    """Return the numbers of parameters of each part of a configuration's model, and in total."""
    environment = config.environment.build()
    return parameters_of(config.model.build(environment, config.environment.discount, config.seed))


def replay_memory(config: TrialConfig) -> tuple[int, float] | None:
    """Return the capacity of a trial's replay buffer in steps and in MB; None if it has none.

    Raises:
        WorkbenchError: the capacity is too small.
    """
    procedure = config.procedure.build(build(config))
    fields: dict[str, Any] = getattr(procedure, "result_fields", dict)()
    return (fields["replay_steps"], fields["replay_mb"]) if "replay_steps" in fields else None


class _Clock:
    """Tracks when to measure next, the time spent, and the versions of the code that ran."""

    def __init__(self, config: TrialConfig) -> None:
        self.interval, self.next_update = config.evaluate_every, 0
        self.last_measured: list[int] = []  # [steps, updates]
        self.training_seconds = self.cpu_seconds = self.evaluation_seconds = 0.0
        self.row: dict[str, float] = {}
        self.rows: list[MeasuredRow] = []
        self.damage: list[str] = []  # what was lost before the trial was resumed
        self.code_files = code_files(config)
        self.code_digests = [code_digest(self.code_files)]  # of every version that trained it
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def is_due(self, procedure: Procedure) -> bool:
        """Whether it is time to measure."""
        here = [procedure.steps, procedure.updates]
        return here != self.last_measured and (
            procedure.updates >= self.next_update or procedure.fraction >= 1
        )

    def lap(self) -> tuple[float, float]:
        """Return wall-clock and CPU seconds since the last lap."""
        wall, cpu = self._wall, self._cpu
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self._wall - wall, self._cpu - cpu

    def add_training_time(self) -> None:
        """Count the time since the last lap as training."""
        wall, cpu = self.lap()
        self.training_seconds += wall
        self.cpu_seconds += cpu


def _measure(
    procedure: Procedure, measures: Mapping[str, Measure], parts: TrialParts, clock: _Clock
) -> dict[str, float | None]:
    """Return training statistics and metrics, and update the clock."""
    clock.add_training_time()
    row: dict[str, float | None] = dict(procedure.diagnostics())
    procedure.agent.eval()
    for name, measure in measures.items():
        row |= checked_readings(name, measure(procedure.agent, parts.planner))
    procedure.agent.train()
    clock.last_measured = [procedure.steps, procedure.updates]
    while clock.next_update <= procedure.updates:
        clock.next_update += clock.interval
    clock.evaluation_seconds += clock.lap()[0]
    clock.row = {
        "step": procedure.steps,
        "updates": procedure.updates,
        **_times(clock),
    }
    return row


def checked_readings(measure: str, readings: Any) -> dict[str, float | None]:
    """Return the readings of a measure, which are finite numbers, or None if undefined.

    Raises:
        InvalidReading: the measure returned something else.
    """
    if not isinstance(readings, Mapping):
        raise InvalidReading(
            f"measure '{measure}' returned {_described(readings)}; expected values by metric"
        )
    for name, value in readings.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not isinstance(name, str) or not (value is None or (number and isfinite(value))):
            raise InvalidReading(
                f"measure '{measure}' returned {_described(value)} for metric '{name}'; expected a "
                "finite float, or None if the metric is undefined"
            )
    return dict(readings)


def _described(value: Any) -> str:
    shown = repr(value).replace("\n", " ")
    return f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _times(clock: _Clock) -> dict[str, float]:
    """Return wall-clock and CPU seconds of training, and wall-clock seconds of measuring.

    CPU seconds depend less on other work on the machine.
    """
    return {
        "seconds": round(clock.training_seconds, 3),
        "cpu_seconds": round(clock.cpu_seconds, 3),
        "evaluation_seconds": round(clock.evaluation_seconds, 3),
    }


def _state(parts: TrialParts, procedure: Procedure, clock: _Clock) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "id": identity(parts.config),
        "procedure": procedure.state_dict(),
        "streams": parts.streams.state_dict(),
        "code": clock.code_digests,
        "rows": clock.rows,
        "damage": clock.damage,
        "clock": [
            clock.next_update,
            clock.last_measured,
            clock.training_seconds,
            clock.cpu_seconds,
            clock.evaluation_seconds,
        ],
    }


def _check_identity(
    record: TrialRecord, file: str, stored: Mapping[str, Any], config: TrialConfig
) -> None:
    """Refuse a folder of another trial, so that its data is neither reused nor overwritten."""
    check_schema(record, stored)
    if stored["id"] != identity(config):
        raise MixedTrials(
            f"{record.folder / file}: holds trial {stored['id']}, but this is trial "
            f"{identity(config)}; give it a folder of its own, or remove the file to run the trial "
            "again"
        )


def check_schema(record: TrialRecord, stored: Mapping[str, Any]) -> None:
    """Raise WorkbenchError unless a stored result or checkpoint has the current schema."""
    if stored["schema"] != SCHEMA_VERSION:
        raise WorkbenchError(
            f"{record.folder}: was written under schema {stored['schema']}, but this version reads "
            f"schema {SCHEMA_VERSION}; train it again in a new folder (reports still read this one)"
        )


def _resume(
    record: TrialRecord, state: dict[str, Any] | None, parts: TrialParts, procedure: Procedure
) -> _Clock:
    """Restore a checkpoint, if there is one, and remove the rows written after it."""
    clock = _Clock(parts.config)
    if state is None:
        record.restore_rows(-1, -1, [])
        return clock
    _restore(record, state, procedure)
    parts.streams.load_state_dict(state["streams"])
    clock.next_update, clock.last_measured, *seconds = state["clock"]
    clock.training_seconds, clock.cpu_seconds, clock.evaluation_seconds = seconds
    current = clock.code_digests
    clock.code_digests = [*(x for x in state.get("code", []) if x not in current), *current]
    known = state.get("rows")
    clock.rows, lost = record.restore_rows(procedure.steps, procedure.updates, known)
    clock.damage = [*state.get("damage", []), *lost]
    if clock.last_measured == [procedure.steps, procedure.updates] and (
        not clock.rows or [*clock.rows[-1][:2]] != clock.last_measured
    ):
        # The row of this very checkpoint is lost; the agent is still there to be measured.
        clock.last_measured, clock.next_update = [], procedure.updates
    return clock


def _restore(record: TrialRecord, state: Mapping[str, Any], procedure: Procedure) -> None:
    try:
        procedure.load_state_dict(state["procedure"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise WorkbenchError(
            f"{record.checkpoint}: does not match {CONFIG}, so it was written by another version "
            f"of the workbench ({str(error).splitlines()[0]}); run the trial again"
        ) from None


def _result(
    config: TrialConfig,
    parts: TrialParts,
    procedure: Procedure,
    measures: Mapping[str, Measure],
    clock: _Clock,
    row: Mapping[str, float | None],
) -> dict[str, Any]:
    infos = [measure.info() for measure in measures.values()]
    return {
        "id": identity(config),
        "schema": SCHEMA_VERSION,
        "code": "+".join(clock.code_digests),
        "code_files": clock.code_files,
        "steps": procedure.steps,
        "updates": procedure.updates,
        "metrics": dict(row),
        "levels": {name: dict(level) for info in infos for name, level in info.levels.items()},
        "parameters": parameters_of(parts.model),
        "evaluation_set": {
            "hash": "".join(info.digest for info in infos),
            "positions": max((info.positions for info in infos), default=0),
            "symmetry_classes": max((info.symmetry_classes or 0 for info in infos), default=0),
            "counts": {name: n for info in infos for name, n in info.counts.items()},
        },
        **_times(clock),
        "memory_mb": host.peak_memory(),
        **getattr(procedure, "result_fields", dict)(),
        "threads": config.threads,
        "notes": [*_notes(parts), *getattr(procedure, "notes", list)()],
        **({"damage": clock.damage} if clock.damage else {}),
        "versions": {name: version(name) for name in ("torch", "numpy", "numba", "open-spiel")},
    }


def _notes(parts: TrialParts) -> Iterator[str]:
    """Yield remarks for readers of the results."""
    for _, part in iter_components(parts.config):
        yield from part.notes(parts.environment.spec)
    for head in parts.config.untrained_heads():
        yield f"no loss trains the {head} head; its predictions stay random"
