"""`workbench ui`: start the MLflow interface on the store of the outputs."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.completion import complete_study
from workbench.cli.shared_options import Outputs, TrackingUri
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from ablations.tracking.address import Store

CANNOT_LISTEN = 1


def ui(
    study: Annotated[
        str | None,
        typer.Argument(help="Name of a study; by default all.", autocompletion=complete_study),
    ] = None,
    outputs: Outputs = Path("outputs"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    tracking_uri: TrackingUri = None,
) -> None:
    """Review runs in MLflow; only this machine can reach it unless --host is given.

    Prints the address of the runs of each study. If the store is an MLflow server, its addresses
    are printed and nothing is started. Exit code 1: the port is in use; 2: bad input.
    """
    from ablations.tracking.address import store_of

    store = store_of(outputs, tracking_uri)
    found = _experiments(store, study)
    if store.page:
        _show_addresses(store.page, found)
        return
    _check_port(host, port)
    if not is_loopback(host):
        typer.echo(
            f"Warning: {host} can be reached from other machines, and MLflow asks for no password. "
            "Anyone who reaches it can read and delete every run.",
            err=True,
        )
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    _show_addresses(base, found)
    typer.echo("Press Ctrl-C to stop.")
    sys.stdout.flush()
    _serve(store, host, port)


def _experiments(store: Store, study: str | None) -> dict[str, str]:
    """Return the ids of the experiments to show, by name.

    Raises:
        WorkbenchError: the store or the study does not exist.
    """
    from ablations.tracking.store import experiments, relocate_artifacts

    if store.file is not None:
        if not store.file.is_file():
            raise WorkbenchError(
                f"no tracking store at {store.file}; `workbench ablate` creates it"
            )
        found = experiments(store.file)
        relocate_artifacts(store.file)
    elif store.page is None and study is None:
        return {}  # the server that is to be started connects to the database
    else:
        from ablations.tracking.connection import connect

        client, _ = connect(store)
        found = {one.name: one.experiment_id for one in client.search_experiments()}
        found.pop("Default", None)
    if study is None:
        return found
    name = Path(study).name
    if name not in found:
        known = f"it has {', '.join(found)}" if found else "it has no studies yet"
        raise WorkbenchError(f"no study '{name}' in the store {store.shown}; {known}")
    return {name: found[name]}


def _show_addresses(base: str, found: dict[str, str]) -> None:
    from ablations.tracking.views import charts_page, runs_page

    typer.echo(f"MLflow at {base}")
    for name, experiment in found.items():
        typer.echo(f"{name}\n  runs    {runs_page(base, experiment)}")
        typer.echo(f"  charts  {charts_page(base, experiment)}")


def _check_port(host: str, port: int) -> None:
    """End with a message if the address is not free; MLflow would notice it after seconds."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        typer.echo(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose another port with "
            "--port",
            err=True,
        )
        raise typer.Exit(CANNOT_LISTEN) from None


def _serve(store: Store, host: str, port: int) -> None:
    """Replace this process by MLflow's server.

    The store is given by the environment, because the arguments of a process are visible to all
    users of a machine. The file of an output folder is named from within its folder, so that no
    character of the path can change the meaning of the address.
    """
    uri = store.uri
    if store.file is not None:
        os.chdir(store.file.parent)
        uri = f"sqlite:///{store.file.name}"
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # The job execution is for evaluating language models. Without it MLflow starts faster and
    # uses less memory.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    listen = ["--host", host, "--port", str(port), "--workers", "1"]
    quiet = ["--uvicorn-opts", "--log-level warning"]
    command = [sys.executable, "-m", "mlflow", "server", *listen, *quiet]
    os.execv(command[0], command)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
