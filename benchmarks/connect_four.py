"""Optimal-move rates on the evaluation positions of Connect Four, of agents and baselines.

    python -m benchmarks.connect_four [--trial FOLDER] [--simulations 10 50 200] [--json]

Baselines are uniformly random moves and OpenSpiel's MCTS with 1,000 rollouts per move. With
`--trial`, the agent of that trial's last checkpoint is added: its prior, and its search at each
number of simulations. The positions are solved once per machine, which takes a minute or two.
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
from workbench.measures.evaluation_sets.positions import EvaluationPositions, cached_positions
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.play.decision_rules import Choice, prior_action, search_action
from workbench.measures.play.opponents import TreeSearchPlayer
from workbench.trial import load_agent

ROLLOUTS = 1000

Row = dict[str, Any]


def by_tree_search(environment: SolvedConnectFour, frozen: EvaluationPositions) -> Tensor:
    """[P] Moves of OpenSpiel's MCTS."""
    player = TreeSearchPlayer(environment, ROLLOUTS, "benchmark")
    player.observe(frozen.state, environment.observe(frozen.state), None)
    return player.act(torch.arange(len(frozen.q)), environment.legal(frozen.state))


def by_agent(folder: Path, simulations: Sequence[int]) -> Iterator[tuple[str, Any, Any, Choice]]:
    """Yield name, agent, planner and decision rule: of the prior, and of the search at each size.

    Raises:
        WorkbenchError: the trial is not one of Connect Four, or its planner has no simulations.
    """
    parts, agent = load_agent(folder)
    config = parts.config
    if not isinstance(config.environment, ConnectFour) or not config.environment.spec().oracle:
        raise WorkbenchError(f"{folder}: is not a trial of Connect Four at its usual size")
    if simulations and "simulations" not in type(config.planner).model_fields:
        raise WorkbenchError(f"{folder}: planner '{config.planner.component}' has no simulations")
    yield "prior", agent, parts.planner, prior_action
    for many in simulations:
        planner = config.planner.model_copy(update={"simulations": many})
        yield f"search_{many}", agent, planner.build(parts.environment.spec), search_action


def rows(
    frozen: EvaluationPositions, environment: SolvedConnectFour, options: Any
) -> Iterator[Row]:
    """Measure all agents and return the rows of the table."""
    solved = SolvedPositions(environment, frozen.state, frozen.q)
    actions = frozen.q.shape[1]

    def row(name: str, policy: Tensor, began: float) -> Row:
        found = solved.expected("", policy)
        short = {metric.removeprefix("decision/_"): value for metric, value in found.items()}
        return {"player": name, **short, "seconds": round(time.perf_counter() - began, 1)}

    began = time.perf_counter()
    yield row("random", solved.uniform, began)
    moves = by_tree_search(environment, frozen)
    yield row(f"openspiel_mcts_{ROLLOUTS}", one_hot(moves, actions).float(), began)
    if options.trial is None:
        return
    for name, agent, planner, choice in by_agent(options.trial, options.simulations):
        began = time.perf_counter()
        moves = solved.chosen_moves(agent, planner, choice)
        yield row(name, one_hot(moves, actions).float(), began)


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--trial", type=Path, help="folder of a trial with a checkpoint")
    arguments.add_argument("--simulations", type=int, nargs="*", default=[50])
    arguments.add_argument("--positions", type=int, default=1000)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    options = arguments.parse_args()
    host.configure(options.threads)
    config = ConnectFour()
    environment = config.build()
    assert isinstance(environment, SolvedConnectFour)  # with its default size
    frozen = cached_positions(config, environment, options.positions)
    found = []
    for row in rows(frozen, environment, options):
        found.append(row)
        if not options.json:
            numbers = (f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
            print(f"{row['player']:<20} {'  '.join(numbers)}", flush=True)
    if options.json:
        about = {"positions": len(frozen.q), "digest": frozen.digest}
        print(json.dumps(about | {"players": found}, indent=2))


if __name__ == "__main__":
    main()
