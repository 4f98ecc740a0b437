"""The evaluation set of a trial as a dataset of MLflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from ablations.tracking.study import TrackedTrial
from workbench.record import CONFIG

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_DIGEST = 16
"""Number of digits of the hash; reports show as many."""


def evaluation_set_input(trial: TrackedTrial) -> DatasetInput | None:
    """Return the evaluation set that a finished trial was measured on; None if it states none."""
    stated = (trial.record.result() or {}).get("evaluation_set")
    if not isinstance(stated, dict) or not stated.get("hash"):
        return None
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=f"{_environment(trial)} evaluation set",
        digest=str(stated["hash"])[:_DIGEST],
        source_type="workbench",
        source=json.dumps({"hash": stated["hash"]}),
        profile=json.dumps({"num_rows": stated.get("positions")}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "evaluation")])


def _environment(trial: TrackedTrial) -> str:
    try:
        config = yaml.safe_load((trial.folder / CONFIG).read_text(encoding="utf-8"))
        return str(config["environment"]["name"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return "unknown"
