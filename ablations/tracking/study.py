"""A study as its folder describes it: what MLflow shows of it."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from ablations.study_folder import read_manifest
from workbench.config import SCHEMA_VERSION
from workbench.errors import WorkbenchError
from workbench.record import CONFIG, EVALUATION, TrialRecord
from workbench.renames import with_current_names
from workbench.result_files import DamagedFile, MeasureResult, read_object, stored_config_id

TRAIN = "train"
"""Experiment of the trials of `workbench train`."""

TRAIN_METRICS = ("decision/search_regret_decisive", "predictive/value_error")
"""Metrics that the table of these trials shows."""


@dataclass(frozen=True)
class TrackedTrial:
    """One trial of a study."""

    id: str
    condition: str
    seed: int
    folder: Path
    values: Mapping[str, str] = field(default_factory=dict)
    """Values that the condition gives to the axes."""

    @property
    def label(self) -> str:
        """Condition and seed, for display."""
        return f"{self.condition} | seed {self.seed}"

    @property
    def record(self) -> TrialRecord:
        """Files of the trial."""
        return TrialRecord(self.folder, self.id)

    def evaluation(self) -> dict[str, float]:
        """Return the numbers that `workbench evaluate` measured, by the name of the reading."""
        found: dict[str, float] = {}
        for path in sorted((self.folder / EVALUATION).glob("*.json")):
            try:
                contents = with_current_names(read_object(path, MeasureResult) or {})
            except DamagedFile:  # reports name it
                continue
            found |= numbers(contents.get("metrics"))
        return found

    def final_values(self) -> dict[str, float]:
        """Return the metrics of the finished agent; those of the training take precedence."""
        result = with_current_names(self.record.result() or {})
        return self.evaluation() | numbers(result.get("metrics"))


@dataclass(frozen=True)
class TrackedStudy:
    """A study, or the trials of `workbench train`."""

    name: str
    folder: Path
    trials: tuple[TrackedTrial, ...]
    question: str = ""
    file: str = ""
    command: str = ""
    primary: str = ""
    predictive: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the study as a whole."""
    launches: tuple[Mapping[str, Any], ...] = ()

    @property
    def tags(self) -> dict[str, str]:
        """Tags that tell the runs of this folder from those of other folders and machines."""
        return {"study": self.name, "folder": f"{platform.node()}:{self.folder}"}

    @property
    def metrics(self) -> list[str]:
        """The metrics that the study declares: primary, then predictive."""
        return [name for name in dict.fromkeys((self.primary, self.predictive)) if name]

    def condition_means(self) -> dict[str, float]:
        """Return the means over finished trials, as `mean/METRIC/CONDITION`."""
        values: dict[str, list[float]] = {}
        for trial in self.trials:
            if trial.record.state() == "done":
                final = trial.final_values()
                for metric in self.metrics:
                    if math.isfinite(final.get(metric, math.nan)):
                        name = f"mean/{metric}/{trial.condition}"
                        values.setdefault(name, []).append(final[metric])
        return {name: fmean(found) for name, found in values.items()}


def read_tracked_study(folder: Path) -> TrackedStudy:
    """Read the study in a folder from its `study.json`.

    Raises:
        WorkbenchError: there is none, or it is damaged.
    """
    manifest = with_current_names(read_manifest(folder))
    try:
        return _from_manifest(manifest, folder.resolve())
    except (KeyError, TypeError, AttributeError) as error:
        raise WorkbenchError(
            f"{folder / 'study.json'}: is missing or incomplete ({error}); the next launch "
            "rewrites it"
        ) from None


def read_single_trial(folder: Path) -> TrackedStudy:
    """Read a trial that belongs to no study, for the experiment of `workbench train`.

    Raises:
        WorkbenchError: its configuration cannot be read.
    """
    path = folder / CONFIG
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = stored_config_id(path, SCHEMA_VERSION) or folder.name
        seed, values = int(config["seed"]), _flattened(config)
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise WorkbenchError(f"{path}: cannot be read: {error}") from None
    values.pop("seed", None)
    trial = TrackedTrial(name, folder.resolve().name, seed, folder.resolve(), values)
    return TrackedStudy(
        name=TRAIN,
        folder=folder.resolve(),
        trials=(trial,),
        question="Trials of `workbench train`.",
        command="workbench train",
        primary=TRAIN_METRICS[0],
        predictive=TRAIN_METRICS[1],
    )


def _flattened(value: Any, prefix: str = "") -> dict[str, str]:
    """Return the entries of nested mappings by dotted keys."""
    if not isinstance(value, Mapping):
        return {prefix: str(value)}
    parts = (_flattened(item, f"{prefix}.{key}".lstrip(".")) for key, item in value.items())
    return {key: text for part in parts for key, text in part.items()}


def _from_manifest(manifest: Mapping[str, Any], folder: Path) -> TrackedStudy:
    values = {one["name"]: dict(one.get("values") or {}) for one in manifest["conditions"]}
    trials = tuple(
        TrackedTrial(
            str(one["id"]),
            str(one["condition"]),
            int(one["seed"]),
            folder / one["folder"],
            values.get(one["condition"], {}),
        )
        for one in manifest["trials"]
    )
    axes = {f"axis {name}": ", ".join(map(str, v)) for name, v in manifest["axes"].items()}
    params = {
        "primary": manifest["primary"],
        "predictive": manifest["predictive"],
        "baseline": manifest.get("baseline") or "",
        "seeds": ", ".join(map(str, manifest["seeds"])),
        "conditions": ", ".join(values),
    }
    return TrackedStudy(
        name=str(manifest["study"]),
        folder=folder,
        trials=trials,
        question=str(manifest["question"]),
        file=str(manifest.get("file", "")),
        command=str(manifest.get("command", "")),
        primary=str(manifest["primary"]),
        predictive=str(manifest["predictive"]),
        params={name: str(value) for name, value in (params | axes).items() if value},
        launches=tuple(manifest.get("launches") or ()),
    )


def numbers(values: Any) -> dict[str, float]:
    """Return the entries of a mapping that are numbers."""
    if not isinstance(values, Mapping):
        return {}
    return {
        str(name): float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
