"""Number of concurrent trials, from the resources of the machines."""

from __future__ import annotations

import pytest

from ablations.slots import Demand, Machine, cluster_slots, gpu_share, local_slots
from workbench.errors import WorkbenchError

GB = 10**9


def node(cpus: float, gpus: float = 0, memory: float = 64 * GB) -> Machine:
    return Machine(cpus, gpus, memory)


def test_a_trial_needs_all_of_its_threads_on_one_node() -> None:
    nodes = [node(7), node(3), node(1)]
    assert cluster_slots(nodes, Demand(1)) == 11
    assert cluster_slots(nodes, Demand(2)) == 3 + 1
    assert cluster_slots(nodes, Demand(4)) == 1
    with pytest.raises(WorkbenchError, match=r"takes 8 CPUs .* no node .* has more than 7"):
        cluster_slots(nodes, Demand(8))


def test_trials_with_a_gpu_run_on_nodes_with_one() -> None:
    assert cluster_slots([node(8, gpus=1), node(16)], Demand(2, gpu=True)) == 4
    with pytest.raises(WorkbenchError, match="no node of the cluster has a GPU"):
        cluster_slots([node(8)], Demand(2, gpu=True))


def test_memory_limits_the_number_of_trials() -> None:
    nodes = [node(8, memory=9 * GB), node(8, memory=3 * GB)]
    assert cluster_slots(nodes, Demand(1, memory=4 * GB)) == 2
    with pytest.raises(WorkbenchError, match=r"--trial-memory is 10 GB, but no node .* 9.0 GB"):
        cluster_slots(nodes, Demand(1, memory=10 * GB))
    assert local_slots(node(8, memory=9 * GB), Demand(1, memory=4 * GB)) == 2
    with pytest.raises(WorkbenchError, match=r"this machine has 9.0 GB free"):
        local_slots(node(8, memory=9 * GB), Demand(1, memory=10 * GB))


def test_a_local_trial_may_have_more_threads_than_there_are_cores() -> None:
    assert local_slots(node(2), Demand(4)) == 1
    assert local_slots(node(5), Demand(2)) == 2


@pytest.mark.parametrize(
    ("gpus", "concurrent", "share"), [(1, 4, 0.25), (2, 4, 0.5), (3, 4, 0.5), (8, 4, 1.0)]
)
def test_all_concurrent_trials_find_a_share_of_one_gpu(
    gpus: int, concurrent: int, share: float
) -> None:
    assert gpu_share(gpus, concurrent) == share
    assert gpus * int(1 / share) >= concurrent


def test_a_missing_gpu_is_an_error() -> None:
    with pytest.raises(WorkbenchError, match="Ray finds no GPU"):
        gpu_share(0, 2)
