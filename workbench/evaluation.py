"""A trained agent measured again, from its stored checkpoint: only what is new, without training.

evaluation/MEASURE.json      in the trial's folder: readings, levels, counts, and what they are of
evaluation/MEASURE.npz       what it has to say state by state, where it has
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Thread
from typing import Any, Literal

import numpy as np
from torch import Tensor

from workbench import documents, host, metrics
from workbench.components import MeasureConfig, Misfit
from workbench.config import TrialConfig, dump, read_trial
from workbench.contracts import Measure, Parts
from workbench.errors import ConfigError, TrialDiverged, WorkbenchError, unknown
from workbench.models.world_model import WorldModel
from workbench.record import CONFIG, EVALUATION, TrialRecord, read_json, write_text
from workbench.registry import components
from workbench.trial import code_digest, load_agent


@dataclass(frozen=True)
class Outcome:
    """What became of one measure of one trial."""

    measure: str
    state: Literal["measured", "kept", "does not fit", "failed"]
    """`kept`: the same version measured the same checkpoint before, with the same options."""
    detail: str = ""
    seconds: float = 0.0


Begins = Callable[[Path, str], None]
"""Is told the folder and the measure that is taken next."""


def suite(
    trial: TrialConfig, wanted: Sequence[str] = ()
) -> tuple[dict[str, MeasureConfig], dict[str, str]]:
    """The measures of a finished agent that fit a trial, and of the others why they do not.

    Args:
        wanted: names of measures; by default all that measure finished agents.

    Raises:
        WorkbenchError: there is no measure of a name that is wanted.
    """
    check_names(wanted)
    fitting, unfit = {}, {}
    for name, cls in components("measure").items():
        config = cls.thorough(trial) if issubclass(cls, MeasureConfig) else None
        if config is None or (wanted and name not in wanted):
            continue
        try:
            problems = list(config.misfits(trial))
        except Misfit as misfit:
            problems = [str(misfit)]
        if problems:
            unfit[name] = "; ".join(problems)
        else:
            fitting[name] = config
    return fitting, unfit


def check_names(wanted: Sequence[str]) -> None:
    """Raises WorkbenchError where there is no measure of a name that is wanted."""
    known = components("measure")
    for name in wanted:
        if name not in known:
            raise WorkbenchError(unknown("measure", name, known))


def evaluate_trial(
    folder: Path, wanted: Sequence[str] = (), begins: Begins | None = None
) -> list[Outcome]:
    """Measure the agent in a trial's folder by everything that has not measured it yet.

    Raises:
        WorkbenchError: there is no trial or no whole checkpoint, or it is of another schema.
    """
    record = TrialRecord(folder)
    trial = _configuration(folder)
    fitting, unfit = suite(trial, wanted)
    outcomes = [Outcome(name, "does not fit", reason) for name, reason in unfit.items()]
    if not record.checkpoint.exists():
        raise WorkbenchError(f"{record.checkpoint}: there is no checkpoint; run the trial first")
    checkpoint = _digest(record.checkpoint)
    missing = {}
    for name, config in fitting.items():
        if _is_kept(folder, config, checkpoint):
            outcomes.append(Outcome(name, "kept"))
        else:
            missing[name] = config
    if missing:
        host.prepare(trial.threads)
        parts, agent = load_agent(folder)
        for name, config in missing.items():
            if begins:
                begins(folder, name)
            outcomes.append(_measured(folder, config, parts, agent, checkpoint))
    return outcomes


def evaluate_trials(
    folders: Sequence[Path],
    wanted: Sequence[str] = (),
    concurrent: int | None = None,
    begins: Begins | None = None,
) -> Iterator[tuple[Path, list[Outcome] | str]]:
    """Every trial with its outcomes, or with what stood in the way, as they end.

    Args:
        concurrent: trials at once, each in a process of its own; by default one a core. One at a
            time they are measured here.
        begins: is told what is measured next, where trials are measured one at a time.
    """
    processes = min(concurrent or _cores(), len(folders))
    if processes <= 1:  # here: a process more would import everything once more
        for folder in folders:
            yield folder, _attempt(partial(evaluate_trial, folder, wanted, begins))
        return
    # Fresh processes: torch's threads do not survive a fork.
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        jobs = {pool.submit(evaluate_trial, folder, wanted): folder for folder in folders}
        for job in as_completed(jobs):
            yield jobs[job], _attempt(job.result)


def _end_with(parent: int) -> None:
    """See to it that this process ends soon after the one that began it, however that ends."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _attempt(evaluate: Callable[[], list[Outcome]]) -> list[Outcome] | str:
    """What came of it, or what stood in the way."""
    try:
        return evaluate()
    except WorkbenchError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except BrokenProcessPool:
        return "the process that measured it died (was memory short? try --concurrent 1)"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _configuration(folder: Path) -> TrialConfig:
    path = folder / CONFIG
    if not path.exists():
        raise WorkbenchError(f"{folder}: is not the folder of a trial: it has no {CONFIG}")
    try:
        return read_trial(documents.load(path))
    except ConfigError as error:
        raise WorkbenchError(
            f"{path}: was written by another version of the workbench, or changed; run the trial "
            f"again ({error.problems[0]})"
        ) from None


def _measured(
    folder: Path, config: MeasureConfig, parts: Parts, agent: WorldModel, checkpoint: str
) -> Outcome:
    """Measure, and write it down. What one measure cannot do does not stop the others."""
    began = time.perf_counter()
    try:
        measure = config.build(parts)
        readings = measure(agent, parts.planner)
        details = _details(measure, agent, parts)
    except (WorkbenchError, TrialDiverged) as error:
        return Outcome(config.component, "failed", str(error))
    seconds = round(time.perf_counter() - began, 3)
    if details:
        _write_arrays(_path(folder, config, "npz"), details)
    facts = measure.facts()
    contents = {
        **_about(config, checkpoint),
        "metric_versions": _versions(readings),
        "code": code_digest(),
        "metrics": readings,
        "levels": {name: dict(level) for name, level in facts.levels.items()},
        "counts": dict(facts.counts),
        "evaluation_set": {"hash": facts.digest, "positions": facts.positions},
        "details": bool(details),
        "seconds": seconds,
    }
    write_text(_path(folder, config, "json"), json.dumps(contents, indent=1) + "\n")
    return Outcome(config.component, "measured", seconds=seconds)


def _details(measure: Measure, agent: WorldModel, parts: Parts) -> Mapping[str, Tensor]:
    found: Mapping[str, Tensor] = getattr(measure, "details", lambda *_: {})(agent, parts.planner)
    return found


def _is_kept(folder: Path, config: MeasureConfig, checkpoint: str) -> bool:
    found = read_json(_path(folder, config, "json"))
    return (
        found is not None
        and all(found.get(key) == value for key, value in _about(config, checkpoint).items())
        and found.get("metric_versions") == _versions(found.get("metrics", {}))
        and (not found["details"] or _path(folder, config, "npz").exists())
    )


def _about(config: MeasureConfig, checkpoint: str) -> dict[str, Any]:
    """What a stored measurement must agree in to be taken for a new one."""
    return {"checkpoint": checkpoint, "measure": dump(config), "version": config.version}


def _versions(readings: Mapping[str, Any]) -> dict[str, int]:
    found = {spec.name: spec.version for name in readings if (spec := metrics.spec(name))}
    return dict(sorted(found.items()))


def _path(folder: Path, config: MeasureConfig, suffix: str) -> Path:
    return folder / EVALUATION / f"{config.component}.{suffix}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_arrays(path: Path, details: Mapping[str, Tensor]) -> None:
    """Replace the file whole: a reader finds the old one or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: tensor.cpu().numpy() for name, tensor in details.items()}
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        np.savez_compressed(stream, **arrays)
    Path(stream.name).replace(path)
