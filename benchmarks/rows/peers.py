"""Our search and those of peers in alternating processes: peer, ours, peer, ours, ..."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks import networks
from benchmarks.measurement import Effort, Figure
from benchmarks.peers.exchange import SIMULATIONS, Case, write
from benchmarks.timing import TimingPairs
from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Peer:
    """A library: the module that calls it, and the models that it can search."""

    module: str
    models: tuple[str, ...]


PEERS = {
    "mctx": Peer("by_mctx", ("mlp", "residual")),
    "gumbel-mcts": Peer("by_gumbel_mcts", ("mlp",)),
}

PACKAGES = ("jax", "mctx", "gumbel_mcts")
BATCHES = {"mlp": (1, 16, 128, 512), "residual": (1, 16, 128)}
"""Batch sizes by model; with 512 roots the residual model would take ten seconds per search."""

PeerTimings = list[tuple[float, float]]
"""For each case, seconds per search and mean depth of its trees."""


def check_installed() -> None:
    """Raise WorkbenchError if a library is missing, with the extra that installs it."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise WorkbenchError(
            f"row peers needs {' and '.join(missing)}; install with: "
            "pip install 'muzero-workbench[peers]', best into an environment of its own"
        )


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure searches of the same model from the same roots, without noise."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for model, actions in networks.MODELS:
            write(folder, model, actions, max(BATCHES[model]))
        for name, peer in PEERS.items():
            cases = _cases(peer)[:1] if effort.quick else _cases(peer)
            rounds = [
                [_round(module, folder, effort, cases) for module in (peer.module, "ours")]
                for _ in range(effort.repeats)
            ]
            for index, case in enumerate(cases):
                theirs, ours = ([one[side][index] for one in rounds] for side in (0, 1))
                yield _figure(name, case, ours, theirs)


def _cases(peer: Peer) -> list[Case]:
    return [
        Case(model, actions, planner, batch)
        for model, actions in networks.MODELS
        if model in peer.models
        for planner in networks.PLANNERS
        for batch in BATCHES[model]
    ]


def _round(module: str, folder: Path, effort: Effort, cases: list[Case]) -> PeerTimings:
    arguments = [module, str(folder), str(effort.threads), json.dumps([astuple(c) for c in cases])]
    command = [sys.executable, "-m", "benchmarks.peers.child", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise WorkbenchError(f"the searches of {module} failed; its error stands above")
    return [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]


def _figure(peer: str, case: Case, ours: PeerTimings, theirs: PeerTimings) -> Figure:
    pairs = TimingPairs([seconds for seconds, _ in ours], [seconds for seconds, _ in theirs])
    shown: dict[str, str | int] = {
        "peer": peer, "model": case.model, "planner": case.planner, "A": case.actions,
        "B": case.batch, "N": SIMULATIONS,
    }  # fmt: skip
    faster = statistics.median(b / a for a, b in zip(pairs.measured, pairs.floor, strict=True))
    extras = {"speed-up": faster, "depth": ours[0][1], "depth (peer)": theirs[0][1]}
    return pairs.figure("peers", shown, peer, case.batch * SIMULATIONS, "simulations/s", extras)
