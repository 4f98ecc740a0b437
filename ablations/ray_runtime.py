"""Ray runtime: a private instance for one launch, or an existing cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path

import psutil

from ablations.scratch import default_root, scratch_folder
from ablations.slots import Machine
from workbench.errors import WorkbenchError
from workbench.terminal import termination_signals

OBJECT_STORE = 80 * 1024 * 1024
"""Size of the object store in bytes, near Ray's minimum: no large objects are passed."""

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

QUIET = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths keep their meaning
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # no copy of the environment is made
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no warning: CPU trials request no GPU
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # a launch handles signals itself
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


@contextlib.contextmanager
def ray_runtime(
    cpus: int,
    threads: int,
    address: str | None,
    shared: Path,
    check: Callable[[], None] = lambda: None,
    memory: int | None = None,
) -> Iterator[Path]:
    """Context manager: run Ray with silenced standard output; yields a folder for Tune's files.

    Without an address, a private Ray starts with `cpus` and `memory` in a temporary folder of its
    own, which also separates the users of one machine. Everything of it is removed at the end. A
    cluster needs `shared`, a folder that all of its machines see.

    A separate thread starts Ray and lives as long as Ray, because Ray's processes end with that
    thread. In the main thread, Ray would install a SIGTERM handler that raises SystemExit at any
    point; within a fork the exception is swallowed and leaves locks held. Meanwhile `check` is
    called ten times a second; if it raises, the start is abandoned.

    Raises:
        WorkbenchError: there is no cluster at the address.
    """
    variables = QUIET | dict.fromkeys(THREADS, str(threads))
    others = set(psutil.Process().children(recursive=True))
    with (
        scratch_folder(default_root()) as scratch,
        _environment(variables | (_private(scratch) if address is None else {})),
        _silence_stdout(),
    ):
        import ray

        _read_environment_again()
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        starter = ThreadPoolExecutor(1, initializer=_block_signals)
        if address is None:
            starting = starter.submit(_start, cpus, memory, scratch)
        else:
            starting = starter.submit(_join, address, variables)
        try:
            _wait(starting, check)
            yield scratch / "tune" if address is None else shared
        except KeyboardInterrupt:
            _kill(set(psutil.Process().children(recursive=True)) - others)
            raise
        finally:
            if starting.done():
                ray.shutdown()
            starter.shutdown(wait=starting.done())
            if address is not None:
                shutil.rmtree(shared, ignore_errors=True)


def _private(scratch: Path) -> dict[str, str | None]:
    """Return the environment of a private Ray; None removes a variable.

    Ray listens on all interfaces, and whoever can submit a task runs code as this user. The token
    is readable by this user alone, and processes without it are refused.
    """
    token = scratch / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_AUTH_TOKEN": None,  # it would take precedence over the file
        "RAY_ADDRESS": None,  # of another cluster
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # workers import as the driver does
    }


def _read_environment_again() -> None:
    """Let Ray read its mode of authentication and its token again: it may be imported already."""
    raylet = import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


def _block_signals() -> None:
    """Keep the signals of a terminal from the processes that this thread starts.

    They inherit the mask. The driver alone decides when they end.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, set(termination_signals()) - {signal.SIGTERM})


def _wait(starting: Future[None], check: Callable[[], None]) -> None:
    while not starting.done():
        wait([starting], timeout=0.1)
        check()
    starting.result()


def _start(cpus: int, memory: int | None, scratch: Path) -> None:
    import ray

    ray.init(
        address="local",
        num_cpus=cpus,
        _memory=memory,
        object_store_memory=OBJECT_STORE,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        _temp_dir=str(scratch),
    )


def _join(address: str, variables: dict[str, str]) -> None:
    import ray

    try:
        host, colon, port = address.rpartition(":")
        if colon and port.isdecimal():  # Ray itself waits for minutes and ignores Ctrl-C
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            runtime_env={"env_vars": variables},
        )
    except ValueError:
        raise WorkbenchError(
            f"'{address}' is no address of a Ray cluster: expected HOST:PORT, or auto"
        ) from None
    except OSError as error:
        # The last line of the underlying error holds Ray's own advice.
        reason = str(error.__cause__ or error).strip(" )\n").splitlines()[-1]
        raise WorkbenchError(f"cannot join a Ray cluster at {address}: {reason}") from error
    except (RuntimeError, ray.exceptions.RayError) as error:  # another version, or no token
        raise WorkbenchError(
            f"cannot join a Ray cluster at {address}: {' '.join(str(error).split())}"
        ) from error


def cluster_machines() -> list[Machine]:
    """Return the resources of the nodes of the cluster that this process has joined."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [Machine(n.get("CPU", 0), n.get("GPU", 0), n.get("memory", 0)) for n in nodes]


def _kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes at once, because Ray waits up to a second for each.

    Its control store (GCS) is spared: the driver's own exit waits for it.
    """
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() != "gcs_server":
                process.kill()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Context manager: set environment variables, which processes started meanwhile inherit.

    None removes a variable.
    """
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextlib.contextmanager
def _silence_stdout() -> Iterator[None]:
    """Context manager: discard `sys.stdout`, because Tune prints errors at any verbosity."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
