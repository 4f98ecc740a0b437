"""One trial: build, learn, measure. A plain function: no Ray, no MLflow inside."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from workbench import documents, host
from workbench.config import SCHEMA_VERSION, TrialConfig, dump, identity, read_trial, walk
from workbench.contracts import Loss, Measure, Parts, Procedure
from workbench.errors import TrialStopped, WorkbenchError
from workbench.models.world_model import WorldModel
from workbench.models.world_model import count_parameters as parameters_of
from workbench.randomness import Streams, seeded
from workbench.record import CONFIG, TrialRecord
from workbench.training import checkpoint

Report = Callable[[float, Mapping[str, float | None]], None]
"""Told after every measurement: the fraction of the trial that is done, and the latest metrics."""
Tell = Callable[[str, float], None]
"""Hears what is being done, and how much of the training is done."""


def run_trial(
    config: TrialConfig,
    folder: Path,
    report: Report | None = None,
    tell: Tell = lambda doing, fraction: None,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train and measure one agent in `folder`; goes on where an earlier run stopped.

    Args:
        report: called after every measurement.
        tell: called before whatever may take long, and at every move of the games.
        stopping: asked at every move of the games whether to leave it at that for now.

    Returns:
        the result, as it stands in `result.json`.

    Raises:
        TrialDiverged: training gave a number that is not finite.
        TrialStopped: `stopping` said so; the checkpoint has all that was learned until then.
        WorkbenchError: the folder holds another trial, or a checkpoint that cannot be read.
    """
    record = TrialRecord(folder)
    done = record.result()
    if done is not None:
        _same(record, done, config)
        return done
    host.prepare(config.threads)
    host.forget_peak_memory()
    parts = build(config)
    measures = _measures(parts, tell)
    procedure = config.procedure.build(parts)
    state = checkpoint.load(record.checkpoint)
    if state is not None:
        _same(record, state, config)
    record.start(dump(config))
    clock = _resume(record, state, parts, procedure)
    del state  # which holds the whole replay once more
    row = record.last_row()
    while True:
        if stopping():
            clock.trained()
            checkpoint.save(record.checkpoint, _state(parts, procedure, clock))
            raise TrialStopped(f"{folder}: stopped after {procedure.steps} steps")
        if clock.due(procedure):
            tell("measuring", procedure.fraction)
            row = _measure(procedure, measures, parts, clock)
            record.append({"step": procedure.steps, "updates": procedure.updates, **row}, clock.row)
            checkpoint.save(record.checkpoint, _state(parts, procedure, clock))
            record.progress(procedure.fraction, row)
            if report:
                report(procedure.fraction, row)
        if procedure.fraction >= 1:
            break
        tell("training", procedure.fraction)
        procedure.advance()
    result = _result(config, parts, procedure, measures, clock, row)
    record.finish(result)
    return result


def build(config: TrialConfig) -> Parts:
    """Everything but the procedure and the measures, on streams that hang on the seed alone.

    Raises:
        WorkbenchError: there is no such device here.
    """
    _check_device(config.device)
    environment = config.environment.build()
    model = config.model.build(environment, config.environment.discount, config.seed)
    return Parts(
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


def _measures(parts: Parts, tell: Tell) -> dict[str, Measure]:
    measures = {}
    for name, measure in parts.config.measures.items():
        tell(f"preparing measure '{name}'", 0.0)
        measures[name] = measure.build(parts)
    return measures


def load_agent(folder: Path) -> tuple[Parts, WorldModel]:
    """What the trial in `folder` is made of, and its agent as the last checkpoint has it.

    Raises:
        WorkbenchError: there is no trial, no whole checkpoint, or one of another version.
    """
    parts = build(read_trial(documents.load(folder / CONFIG)))
    procedure = parts.config.procedure.build(parts)
    record = TrialRecord(folder)
    state = checkpoint.load(record.checkpoint)
    if state is None:
        raise WorkbenchError(f"{record.checkpoint}: there is no checkpoint")
    _known(record, state)
    _take_up(record, state, procedure)
    return parts, procedure.agent.eval()


def _loss(config: TrialConfig, name: str, model: WorldModel) -> Loss:
    """A term of the objective; one with parameters of its own begins from its own stream."""
    with seeded(config.seed, f"init/losses/{name}"):
        loss = config.losses[name].build(model)
    return loss.to(config.device) if isinstance(loss, torch.nn.Module) else loss


def count_parameters(config: TrialConfig) -> dict[str, int]:
    """Parameters of each part of the model that a configuration builds, and in total."""
    environment = config.environment.build()
    return parameters_of(config.model.build(environment, config.environment.discount, config.seed))


def replay_memory(config: TrialConfig) -> tuple[int, float] | None:
    """Steps that the replay of a trial has room for, and the MB they take; None if it has none.

    Raises:
        WorkbenchError: it has room for too few.
    """
    procedure = config.procedure.build(build(config))
    facts: dict[str, Any] = getattr(procedure, "facts", dict)()
    return (facts["replay_steps"], facts["replay_mb"]) if "replay_steps" in facts else None


class _Clock:
    """When to measure next, how long training and measuring took, and what code ran meanwhile."""

    def __init__(self, every: int) -> None:
        self.every, self.next = every, 0
        self.last: list[int] = []
        self.training = self.processing = self.evaluating = 0.0
        self.row: dict[str, float] = {}
        self.code = [code_digest()]  # of all that it was trained by, the last to come last
        self.mark, self.used = time.perf_counter(), time.process_time()

    def due(self, procedure: Procedure) -> bool:
        here = [procedure.steps, procedure.updates]
        return here != self.last and (procedure.updates >= self.next or procedure.fraction >= 1)

    def lap(self) -> tuple[float, float]:
        """Seconds since the last lap, and those that processors spent on it meanwhile."""
        mark, used = self.mark, self.used
        self.mark, self.used = time.perf_counter(), time.process_time()
        return self.mark - mark, self.used - used

    def trained(self) -> None:
        passed, processed = self.lap()
        self.training += passed
        self.processing += processed


def _measure(
    procedure: Procedure, measures: Mapping[str, Measure], parts: Parts, clock: _Clock
) -> dict[str, float | None]:
    clock.trained()
    row: dict[str, float | None] = dict(procedure.diagnostics())
    procedure.agent.eval()
    for measure in measures.values():
        row |= measure(procedure.agent, parts.planner)
    procedure.agent.train()
    clock.last = [procedure.steps, procedure.updates]
    while clock.next <= procedure.updates:
        clock.next += clock.every
    clock.evaluating += clock.lap()[0]
    clock.row = {
        "step": procedure.steps,
        "updates": procedure.updates,
        **_times(clock),
    }
    return row


def _times(clock: _Clock) -> dict[str, float]:
    """Training by the clock and by its processors (which other work slows less), and measuring."""
    return {
        "seconds": round(clock.training, 3),
        "cpu_seconds": round(clock.processing, 3),
        "evaluation_seconds": round(clock.evaluating, 3),
    }


def _state(parts: Parts, procedure: Procedure, clock: _Clock) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "id": identity(parts.config),
        "procedure": procedure.state_dict(),
        "streams": parts.streams.state_dict(),
        "code": clock.code,
        "clock": [clock.next, clock.last, clock.training, clock.processing, clock.evaluating],
    }


def _same(record: TrialRecord, found: Mapping[str, Any], config: TrialConfig) -> None:
    """What was paid for is never taken for another trial's, nor written over by one."""
    _known(record, found)
    if found["id"] != identity(config):
        raise WorkbenchError(
            f"{record.folder}: holds trial {found['id']}, and this is trial {identity(config)}; "
            "give it a folder of its own"
        )


def _known(record: TrialRecord, found: Mapping[str, Any]) -> None:
    if found["schema"] != SCHEMA_VERSION:
        raise WorkbenchError(
            f"{record.folder}: was written under schema {found['schema']}, and this version reads "
            f"schema {SCHEMA_VERSION}; run the trial again in a folder of its own"
        )


def _resume(
    record: TrialRecord, state: dict[str, Any] | None, parts: Parts, procedure: Procedure
) -> _Clock:
    """Take up a checkpoint, and forget the rows that came after it."""
    clock = _Clock(parts.config.evaluate_every)
    if state is None:
        record.cut(-1, -1)
        return clock
    _take_up(record, state, procedure)
    parts.streams.load_state_dict(state["streams"])
    clock.next, clock.last, clock.training, clock.processing, clock.evaluating = state["clock"]
    clock.code = [*(code for code in state.get("code", []) if code not in clock.code), *clock.code]
    record.cut(procedure.steps, procedure.updates)
    return clock


def _take_up(record: TrialRecord, state: Mapping[str, Any], procedure: Procedure) -> None:
    try:
        procedure.load_state_dict(state["procedure"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise WorkbenchError(
            f"{record.checkpoint}: does not fit what {CONFIG} describes, so it was written by "
            f"another version of the workbench; run the trial again ({str(error).splitlines()[0]})"
        ) from None


def _result(
    config: TrialConfig,
    parts: Parts,
    procedure: Procedure,
    measures: Mapping[str, Measure],
    clock: _Clock,
    row: Mapping[str, float | None],
) -> dict[str, Any]:
    facts = [measure.facts() for measure in measures.values()]
    return {
        "id": identity(config),
        "schema": SCHEMA_VERSION,
        "code": "+".join(clock.code),
        "steps": procedure.steps,
        "updates": procedure.updates,
        "metrics": dict(row),
        "levels": {name: dict(level) for fact in facts for name, level in fact.levels.items()},
        "parameters": parameters_of(parts.model),
        "evaluation_set": {
            "hash": "".join(fact.digest for fact in facts),
            "positions": max((fact.positions for fact in facts), default=0),
            "counts": {name: n for fact in facts for name, n in fact.counts.items()},
        },
        **_times(clock),
        "memory_mb": host.peak_memory(),
        **getattr(procedure, "facts", dict)(),
        "threads": config.threads,
        "notes": [*_notes(parts)],
        "versions": {name: version(name) for name in ("torch", "numpy", "numba", "open-spiel")},
    }


def _notes(parts: Parts) -> Iterator[str]:
    """What a reader of the results should be told."""
    for _, part in walk(parts.config):
        yield from part.notes(parts.environment.spec)
    for head in parts.config.untaught():
        yield f"no loss teaches the model its {head}: what it predicts of it stays random"


def code_digest() -> str:
    """Twelve digits of a hash of the workbench's source, to tell apart what other code made."""
    total = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        total.update(path.relative_to(here).as_posix().encode() + path.read_bytes())
    return total.hexdigest()[:12]
