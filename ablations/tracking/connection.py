"""Connecting to MLflow without its noise, and without long waits for a store that is broken."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ablations.tracking.address import Store, redact, redact_text
from ablations.tracking.store import prepare_store
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # by default MLflow retries for minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

_NOISY = ("mlflow", "alembic", "urllib3.connectionpool")
"""They log every table that they create, and every attempt to reach a server."""

_DATABASE_ATTEMPTS = 2
"""Number of attempts to open a database; MLflow makes ten, with pauses of 100 s in all."""


def connect(store: Store) -> tuple[MlflowClient, list[str]]:
    """Return a client of a store that answers, and warnings for the user.

    Raises:
        WorkbenchError: the store cannot be reached or read.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.store.db import utils

    utils.MAX_RETRY_COUNT = _DATABASE_ATTEMPTS
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings = prepare_store(store.file) if store.file else []
    try:
        client = MlflowClient(tracking_uri=store.uri)
        client.search_experiments(max_results=1)
    except Exception as error:  # every store has its own exceptions
        raise unusable(error, store) from None
    return client, warnings


def unusable(error: Exception, store: Store) -> WorkbenchError:
    """Return the error that tells the user why a store cannot be used."""
    return WorkbenchError(
        f"the tracking store {store.shown}{store.origin} cannot be used: {describe(error, store)}"
    )


def describe(error: Exception, store: Store) -> str:
    """Return the kind and the first line of an error, without credentials."""
    if isinstance(error, WorkbenchError):
        return str(error)
    lines = str(error).replace(store.uri, redact(store.uri)).splitlines() or [""]
    return redact_text(f"{type(error).__name__}: {lines[0][:500]}")
