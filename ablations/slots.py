"""Number of trials that run at once: what the machines have, and what one trial takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import psutil

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Machine:
    """Resources of this machine, or of one node of a cluster."""

    cpus: float
    gpus: float
    memory: float
    """Bytes."""


@dataclass(frozen=True)
class Demand:
    """Resources that one trial takes."""

    threads: int
    gpu: bool = False
    memory: int | None = None
    """Bytes, if there is a limit."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_machine() -> Machine:
    """Return this machine's resources without its GPUs, which Ray counts when it starts."""
    return Machine(cores(), 0, psutil.virtual_memory().available)


def local_slots(machine: Machine, demand: Demand) -> int:
    """Return how many trials this machine runs at once; one may take more threads than cores.

    Raises:
        WorkbenchError: the machine has less memory than one trial may take.
    """
    by_cores = max(1, int(machine.cpus // demand.threads))
    return min(by_cores, _by_memory([machine], demand, "this machine has"))


def cluster_slots(nodes: Sequence[Machine], demand: Demand) -> int:
    """Return how many trials a cluster runs at once; each needs all of its resources on one node.

    Raises:
        WorkbenchError: no node has what one trial takes.
    """
    if demand.gpu:
        nodes = [node for node in nodes if node.gpus]
        if not nodes:
            raise WorkbenchError("`device: cuda`, but no node of the cluster has a GPU")
    most = max((node.cpus for node in nodes), default=0)
    if most < demand.threads:
        raise WorkbenchError(
            f"a trial takes {demand.threads} CPUs (`threads`), but no node of the cluster has more "
            f"than {most:g}"
        )
    nodes = [node for node in nodes if node.cpus >= demand.threads]
    _by_memory(nodes, demand, "no node of the cluster has more than")
    return sum(_fitting(node, demand) for node in nodes)


def gpu_share(gpus: float, concurrent: int) -> float:
    """Return the share of a GPU for each of `concurrent` trials; whole trials share one GPU.

    Raises:
        WorkbenchError: there is no GPU.
    """
    if gpus < 1:
        raise WorkbenchError("`device: cuda`, but Ray finds no GPU; set `device: cpu`")
    return 1 / ceil(concurrent / gpus) if concurrent > gpus else 1.0


def _fitting(node: Machine, demand: Demand) -> int:
    by_cores = int(node.cpus // demand.threads)
    return by_cores if demand.memory is None else min(by_cores, int(node.memory // demand.memory))


def _by_memory(machines: Sequence[Machine], demand: Demand, subject: str) -> int:
    """Return how many trials the largest memory holds; as many as wanted if there is no limit."""
    most = max(machine.memory for machine in machines)
    if demand.memory is None:
        return ceil(most)
    if most < demand.memory:
        raise WorkbenchError(
            f"--trial-memory is {demand.memory / 1e9:g} GB, but {subject} {most / 1e9:.1f} GB free"
        )
    return int(most // demand.memory)
