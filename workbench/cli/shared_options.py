"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Outputs: TypeAlias = Annotated[
    Path,
    typer.Option(
        envvar="WORKBENCH_OUTPUTS", help="Folder of all studies, their trials and the MLflow store."
    ),
]
TrackingUri: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI",
        help="URI of an MLflow store; by default mlflow.db in the outputs folder.",
    ),
]
