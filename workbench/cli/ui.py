"""`workbench ui`: start the MLflow interface on the store of the outputs."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.shared_options import Outputs, TrackingUri
from workbench.errors import WorkbenchError


def ui(
    outputs: Outputs = Path("outputs"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    tracking_uri: TrackingUri = None,
) -> None:
    """Review runs in MLflow; only this machine can reach it unless --host is given."""
    command = server_command(outputs, host, port, tracking_uri)
    if not is_loopback(host):
        typer.echo(
            f"Warning: {host} can be reached from other machines, and MLflow asks for no password. "
            "Anyone who reaches it can read and delete every run.",
            err=True,
        )
    typer.echo(f"MLflow at http://{host}:{port} (press Ctrl-C to stop)")
    sys.stdout.flush()
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # The job execution is for evaluating language models. Without it MLflow starts faster and
    # uses less memory.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    os.execv(command[0], command)


def server_command(outputs: Path, host: str, port: int, uri: str | None) -> list[str]:
    """Return the command that serves a store.

    Raises:
        WorkbenchError: there is no store yet.
    """
    store = outputs.resolve() / "mlflow.db"
    if uri is None and not store.is_file():
        raise WorkbenchError(f"no tracking store at {store}; `workbench ablate` creates it")
    backend = ["--backend-store-uri", uri or f"sqlite:///{store}"]
    listen = ["--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *backend, *listen]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
