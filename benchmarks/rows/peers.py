"""Our search and the others' in alternating processes: peer, ours, peer, ours ..."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from benchmarks import networks
from benchmarks.figures import Effort, Figure
from benchmarks.peers.exchange import SIMULATIONS, Case, write
from benchmarks.timing import Pairs
from workbench.errors import WorkbenchError

PEERS = {"mctx": "by_mctx", "gumbel-mcts": "by_gumbel_mcts"}
"""By the name of the library, the module that asks it."""

PACKAGES = ("jax", "mctx", "gumbel_mcts")
ACTIONS, BATCHES = (4, 7, 9), (1, 16, 128, 512)

Found = list[tuple[float, float]]
"""Of every case: seconds of a search, mean depth of its trees."""


def check_installed() -> None:
    """Raises WorkbenchError where a library is missing, with the extra that brings all."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise WorkbenchError(
            f"row peers needs {' and '.join(missing)}; install with: "
            "pip install 'muzero-workbench[peers]', best into an environment of its own"
        )


def measure(effort: Effort) -> Iterator[Figure]:
    """The perceptron's searches, the same network, roots and simulations, without root noise."""
    cases = [Case(*one) for one in product(networks.PLANNERS, ACTIONS, BATCHES)]
    cases = cases[:1] if effort.quick else cases
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for actions in ACTIONS:
            write(folder, actions, max(BATCHES))
        for peer in PEERS:
            rounds = [
                (_round(PEERS[peer], folder, effort, cases), _round("ours", folder, effort, cases))
                for _ in range(effort.repeats)
            ]
            for index, case in enumerate(cases):
                theirs, ours = ([one[side][index] for one in rounds] for side in (0, 1))
                yield _figure(peer, case, ours, theirs)


def _round(module: str, folder: Path, effort: Effort, cases: list[Case]) -> Found:
    arguments = [module, str(folder), str(effort.threads), json.dumps([astuple(c) for c in cases])]
    command = [sys.executable, "-m", "benchmarks.peers.child", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise WorkbenchError(f"the searches of {module} failed; its error stands above")
    return [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]


def _figure(peer: str, case: Case, ours: Found, theirs: Found) -> Figure:
    pairs = Pairs([seconds for seconds, _ in ours], [seconds for seconds, _ in theirs])
    shown: dict[str, str | int] = {
        "peer": peer, "planner": case.planner, "A": case.actions, "B": case.batch,
        "N": SIMULATIONS,
    }  # fmt: skip
    faster = statistics.median(b / a for a, b in zip(pairs.measured, pairs.floor, strict=True))
    extras = {"times as fast": faster, "depth": ours[0][1], "depth of the peer": theirs[0][1]}
    return pairs.figure("peers", shown, peer, case.batch * SIMULATIONS, "simulations/s", extras)
