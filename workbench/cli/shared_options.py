"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Outputs: TypeAlias = Annotated[
    Path, typer.Option(help="Folder of all studies, their trials and the tracking store.")
]
TrackingUri: TypeAlias = Annotated[
    str | None,
    typer.Option(help="An MLflow store; by default mlflow.db in the folder of outputs."),
]
