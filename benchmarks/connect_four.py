"""How often moves are optimal on the frozen positions of Connect Four, by agents and others.

    python -m benchmarks.connect_four [--trial FOLDER] [--simulations 10 50 200] [--json]

Beside uniformly random moves and OpenSpiel's tree search with 1,000 rollouts a move stands, with
`--trial`, the agent of that trial's last checkpoint: its prior, and its search at each number of
simulations. The positions are solved once on a machine, which takes a minute or two.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from workbench import host
from workbench.environments.connect_four import ConnectFour
from workbench.environments.games.solved_connect_four import SolvedConnectFour
from workbench.errors import WorkbenchError
from workbench.measures.evaluation_sets.positions import FrozenPositions, kept_positions
from workbench.measures.exact.solved_positions import JudgedPositions
from workbench.measures.play.decision_rules import Choice, by_prior, by_search
from workbench.measures.play.opponents import TreeSearchPlayer
from workbench.trial import load_agent

ROLLOUTS = 1000

Row = dict[str, Any]


def by_tree_search(world: SolvedConnectFour, frozen: FrozenPositions) -> Tensor:
    """The moves of OpenSpiel's tree search. [P]"""
    player = TreeSearchPlayer(world, ROLLOUTS, "benchmark")
    player.look(frozen.state, world.observe(frozen.state), None)
    return player.choose(torch.arange(len(frozen.q)), world.legal(frozen.state))


def by_agent(folder: Path, simulations: Sequence[int]) -> Iterator[tuple[str, Any, Any, Choice]]:
    """Name, agent, planner and choice: of the prior, and of the search at each size.

    Raises:
        WorkbenchError: the trial is not one of Connect Four, or searches without simulations.
    """
    parts, agent = load_agent(folder)
    config = parts.config
    if not isinstance(config.environment, ConnectFour) or not config.environment.spec().oracle:
        raise WorkbenchError(f"{folder}: is not a trial of Connect Four at its usual size")
    if simulations and "simulations" not in type(config.planner).model_fields:
        raise WorkbenchError(f"{folder}: planner '{config.planner.component}' has no simulations")
    yield "prior", agent, parts.planner, by_prior
    for many in simulations:
        planner = config.planner.model_copy(update={"simulations": many})
        yield f"search_{many}", agent, planner.build(parts.environment.spec), by_search


def rows(frozen: FrozenPositions, world: SolvedConnectFour, options: Any) -> Iterator[Row]:
    judged = JudgedPositions(world, frozen.state, frozen.q)
    actions = frozen.q.shape[1]

    def row(name: str, policy: Tensor, began: float) -> Row:
        found = judged.expected("", policy)
        short = {metric.removeprefix("decision/_"): value for metric, value in found.items()}
        return {"player": name, **short, "seconds": round(time.perf_counter() - began, 1)}

    began = time.perf_counter()
    yield row("random", judged.uniform, began)
    moves = by_tree_search(world, frozen)
    yield row(f"openspiel_mcts_{ROLLOUTS}", one_hot(moves, actions).float(), began)
    if options.trial is None:
        return
    for name, agent, planner, choice in by_agent(options.trial, options.simulations):
        began = time.perf_counter()
        moves = judged.moves(agent, planner, choice)
        yield row(name, one_hot(moves, actions).float(), began)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--trial", type=Path, help="folder of a trial with a checkpoint")
    arguments.add_argument("--simulations", type=int, nargs="*", default=[50])
    arguments.add_argument("--positions", type=int, default=1000)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    options = arguments.parse_args()
    host.prepare(options.threads)
    config = ConnectFour()
    world = config.build()
    assert isinstance(world, SolvedConnectFour)  # it has its usual size
    frozen = kept_positions(config, world, options.positions)
    found = []
    for row in rows(frozen, world, options):
        found.append(row)
        if not options.json:
            numbers = (f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
            print(f"{row['player']:<20} {'  '.join(numbers)}", flush=True)
    if options.json:
        about = {"positions": len(frozen.q), "digest": frozen.digest}
        print(json.dumps(about | {"players": found}, indent=2))


if __name__ == "__main__":
    main()
