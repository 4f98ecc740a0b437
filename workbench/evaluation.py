"""Measuring finished agents from their checkpoints, skipping measurements that are stored.

Files in the trial's folder:

evaluation/MEASURE.json      metrics, levels and counts, with the checkpoint and options measured
evaluation/MEASURE.npz       arrays with one entry per state, if the measure has any
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np
from torch import Tensor

from workbench import documents, host, metrics
from workbench.code_version import code_digest, code_files
from workbench.components import Incompatible, MeasureConfig
from workbench.config import TrialConfig, dump, identity, read_trial
from workbench.contracts import Measure, TrialParts
from workbench.errors import ConfigError, TrialFailed, WorkbenchError, unknown_name
from workbench.models.world_model import WorldModel
from workbench.record import CONFIG, EVALUATION, TrialRecord, replacing, write_text
from workbench.registry import components
from workbench.result_files import DamagedFile, MeasureResult, read_arrays, read_object
from workbench.trial import check_schema, checked_readings, load_agent


@dataclass(frozen=True)
class MeasureStatus:
    """Whether one measure of one trial succeeded."""

    measure: str
    state: Literal["measured", "stored", "incompatible", "failed"]
    """`stored`: the same version already measured this checkpoint with the same options."""
    detail: str = ""
    """Reason, if the state is `incompatible` or `failed`."""
    seconds: float = 0.0


POLL_SECONDS = 0.2
"""Seconds between two looks at what other processes have started."""

OnMeasureStart = Callable[[Path, str], None]
"""Callback before each measurement, with the trial's folder and the name of the measure."""


def applicable_measures(
    trial: TrialConfig, names: Sequence[str] = ()
) -> tuple[dict[str, MeasureConfig], dict[str, str]]:
    """Return the measures that apply to a finished trial, and why the others do not.

    Args:
        trial: configuration of the trial.
        names: names of measures; by default all that measure finished agents.

    Returns:
        applicable measures by name, and the reason for each inapplicable one.

    Raises:
        WorkbenchError: a name is unknown.
    """
    check_measure_names(names)
    applicable, inapplicable = {}, {}
    for name, cls in components("measure").items():
        config = cls.for_evaluation(trial) if issubclass(cls, MeasureConfig) else None
        if config is None or (names and name not in names):
            continue
        try:
            problems = list(config.incompatibilities(trial))
        except Incompatible as error:
            problems = [str(error)]
        if problems:
            inapplicable[name] = "; ".join(problems)
        else:
            applicable[name] = config
    return applicable, inapplicable


def check_measure_names(names: Sequence[str]) -> None:
    """Check that all names are names of measures.

    Raises:
        WorkbenchError: a name is unknown.
    """
    known = components("measure")
    for name in names:
        if name not in known:
            raise WorkbenchError(unknown_name("measure", name, known))


def evaluate_trial(
    folder: Path, names: Sequence[str] = (), on_start: OnMeasureStart | None = None
) -> list[MeasureStatus]:
    """Run the measures on a finished trial that have no stored result for its checkpoint.

    Raises:
        WorkbenchError: there is no trial or no complete checkpoint, its schema differs, or the
            files of the folder belong to different trials.
    """
    record = TrialRecord(folder)
    if (result := record.read_result()) is not None:
        check_schema(record, result)
    trial = _read_config(folder)
    applicable, inapplicable = applicable_measures(trial, names)
    statuses = [MeasureStatus(name, "incompatible", why) for name, why in inapplicable.items()]
    if not record.checkpoint.exists():
        raise WorkbenchError(f"{record.checkpoint}: there is no checkpoint; run the trial first")
    checkpoint, identifier = _sha256(record.checkpoint), identity(trial)
    missing = {}
    for name, config in applicable.items():
        if _is_stored(folder, config, checkpoint, identifier):
            statuses.append(MeasureStatus(name, "stored"))
        else:
            missing[name] = config
    if missing:
        host.configure(trial.threads)
        parts, agent = load_agent(folder)
        for name, config in missing.items():
            if on_start:
                on_start(folder, name)
            statuses.append(_measure(folder, config, parts, agent, checkpoint))
    return statuses


def evaluate_trials(
    folders: Sequence[Path],
    names: Sequence[str] = (),
    concurrent: int | None = None,
    on_start: OnMeasureStart | None = None,
) -> Iterator[tuple[Path, list[MeasureStatus] | str]]:
    """Run `evaluate_trial` on many trials, and yield each folder when it is done.

    Args:
        folders: folders of the trials.
        names: names of measures; by default all that measure finished agents.
        concurrent: number of parallel processes; by default one per core. A single trial at a
            time is measured in this process.
        on_start: called in this process before each measurement; of several processes, up to a
            fifth of a second late.

    Yields:
        each folder, with the statuses of its measures or with an error message.
    """
    processes = min(concurrent or _cores(), len(folders))
    if processes <= 1:  # in this process: another one would import everything again
        for folder in folders:
            yield folder, _result_or_error(partial(evaluate_trial, folder, names, on_start))
        return
    context = get_context("spawn")  # torch's threads do not survive a fork
    starts: SimpleQueue[tuple[Path, str]] = context.SimpleQueue()
    with ProcessPoolExecutor(
        processes, context, initializer=_start_process, initargs=(os.getpid(), starts)
    ) as pool:
        jobs = {pool.submit(_evaluate_in_process, folder, names): folder for folder in folders}
        waiting = set(jobs)
        while waiting:
            done, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            while not starts.empty():
                start = starts.get()
                if on_start:
                    on_start(*start)
            for job in done:
                yield jobs[job], _result_or_error(job.result)


_STARTS: list[SimpleQueue[tuple[Path, str]]] = []
"""Queue to the parent in a process that measures; empty elsewhere."""


def _evaluate_in_process(folder: Path, names: Sequence[str]) -> list[MeasureStatus]:
    return evaluate_trial(folder, names, lambda *start: _STARTS[0].put(start))


def _start_process(parent: int, starts: SimpleQueue[tuple[Path, str]]) -> None:
    """Keep the queue to the parent, and exit within about a second after the parent."""
    _STARTS.append(starts)
    _exit_with_parent(parent)


def _exit_with_parent(parent: int) -> None:
    """Let this process exit within about a second after its parent, even if that is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _result_or_error(evaluate: Callable[[], list[MeasureStatus]]) -> list[MeasureStatus] | str:
    """Return the result of `evaluate`, or the message of its error."""
    try:
        return evaluate()
    except WorkbenchError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except BrokenProcessPool:
        return "the process that measured it died, perhaps out of memory; try --concurrent 1"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_config(folder: Path) -> TrialConfig:
    path = folder / CONFIG
    if not path.exists():
        raise WorkbenchError(f"{folder}: is not the folder of a trial, because it has no {CONFIG}")
    try:
        return read_trial(documents.load(path))
    except ConfigError as error:
        raise WorkbenchError(
            f"{path}: was written by another version of the workbench, or was edited "
            f"({error.problems[0]}); train it again in a new folder (reports still read this one)"
        ) from None


def _measure(
    folder: Path, config: MeasureConfig, parts: TrialParts, agent: WorldModel, checkpoint: str
) -> MeasureStatus:
    """Measure and store the result; return errors as a status so that other measures still run."""
    start = time.perf_counter()
    try:
        measure = config.build(parts)
        readings = checked_readings(config.component, measure(agent, parts.planner))
        details = _details(measure, agent, parts)
    except (WorkbenchError, TrialFailed) as error:
        return MeasureStatus(config.component, "failed", str(error))
    except Exception as error:  # whatever a plug-in raises, the other measures run
        return MeasureStatus(config.component, "failed", f"{type(error).__name__}: {error}")
    seconds = round(time.perf_counter() - start, 3)
    arrays = _path(folder, config, "npz")
    if details:
        _write_arrays(arrays, details)
    info, files = measure.info(), code_files(parts.config, config)
    contents = {
        "trial": identity(parts.config),
        **_cache_key(config, checkpoint),
        "metric_versions": _versions(readings),
        "code": code_digest(files),
        "code_files": files,
        "metrics": readings,
        "levels": {name: dict(level) for name, level in info.levels.items()},
        "counts": dict(info.counts),
        "evaluation_set": {"hash": info.digest, "positions": info.positions},
        "details": bool(details),
        "arrays": _sha256(arrays) if details else "",
        "seconds": seconds,
    }
    write_text(_path(folder, config, "json"), json.dumps(contents, indent=1) + "\n")
    return MeasureStatus(config.component, "measured", seconds=seconds)


def _details(measure: Measure, agent: WorldModel, parts: TrialParts) -> Mapping[str, Tensor]:
    """Return the arrays of a measure that has a `details` method; else an empty mapping."""
    arrays: Mapping[str, Tensor] = getattr(measure, "details", lambda *_: {})(agent, parts.planner)
    return arrays


def _is_stored(folder: Path, config: MeasureConfig, checkpoint: str, trial: str) -> bool:
    """Whether a current and undamaged result of this measure for this checkpoint is stored."""
    try:
        stored = read_object(_path(folder, config, "json"), MeasureResult)
        return (
            stored is not None
            and stored.get("trial", trial) == trial
            and all(stored.get(k) == value for k, value in _cache_key(config, checkpoint).items())
            and stored.get("metric_versions") == _versions(stored["metrics"])
            and (
                not stored.get("details")
                or read_arrays(_path(folder, config, "npz"), stored.get("arrays", "")) is not None
            )
        )
    except DamagedFile:
        return False


def _cache_key(config: MeasureConfig, checkpoint: str) -> dict[str, Any]:
    """Return the fields that a stored result must match to be reused."""
    return {"checkpoint": checkpoint, "measure": dump(config), "version": config.version}


def _versions(readings: Mapping[str, Any]) -> dict[str, int]:
    """Return the versions of the metrics in a result."""
    versions = {spec.name: spec.version for name in readings if (spec := metrics.spec(name))}
    return dict(sorted(versions.items()))


def _path(folder: Path, config: MeasureConfig, suffix: str) -> Path:
    return folder / EVALUATION / f"{config.component}.{suffix}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_arrays(path: Path, details: Mapping[str, Tensor]) -> None:
    """Replace the file atomically: readers see the old one or the new one, never a part."""
    arrays: dict[str, Any] = {name: tensor.cpu().numpy() for name, tensor in details.items()}
    with replacing(path) as stream:
        np.savez_compressed(stream, **arrays)
