"""With the true rules in the place of the dynamics, MuZero's search is AlphaZero's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from torch import nn

from tests.workbench.fakes import TINY, trial
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.models.world_model import WorldModel
from workbench.record import METRICS, read_rows
from workbench.trial import build, run_trial

SIMULATIONS = 60


class Double(nn.Module):
    """Networks in double precision tell no difference between a batch and its rows."""

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        return planes.double()


def simulator(norm: str, seed: int) -> tuple[WorldModel, Any]:
    config = trial(
        {
            "model.dynamics": "true",
            "model.latent_norm": norm,
            "model.prediction.value": {"kind": "scalar"},
            "model.representation.width": 32,
            "planner": {
                "name": "puct",
                "simulations": SIMULATIONS,
                "interior_legality": True,
                "q_normalisation": "none",
            },
            "losses.reward": None,
            "losses.termination": None,
            "seed": seed,
        }
    )
    parts = build(config)
    model: Any = parts.model.double()
    with torch.no_grad():  # a decided prior, so that the search has something to weigh
        model.prediction.state.out.weight[:9].mul_(4)
    model.representation = nn.Sequential(Double(), model.representation)
    return model, parts.planner


class AlphaZero:
    """Its search over OpenSpiel states, by the pseudocode of Silver et al. 2018.

    No rewards and no discounts: a node sums the values of its visits as the player who moves at it
    sees them, a child's is the parent's with the sign turned, a terminal node is its outcome. The
    root's own evaluation counts as its first visit.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.known: dict[str, tuple[np.ndarray, float]] = {}

    def network(self, state: pyspiel.State) -> tuple[np.ndarray, float]:
        """(logits, value to the player to move), from a board read by hand."""
        board = str(state).replace("\n", "")
        if board not in self.known:
            own, other = ("x", "o") if state.current_player() == 0 else ("o", "x")
            planes = [[c == stone for c in board] for stone in (own, other, ".")]
            code = torch.tensor(planes, dtype=torch.float32).view(1, 3, 3, 3)
            latent = self.model.norm(self.model.representation(code))
            heads = self.model.prediction.heads(latent)
            self.known[board] = heads.policy[0].numpy(), float(heads.value[0])
        return self.known[board]

    def expand(self, state: pyspiel.State) -> dict[str, Any]:
        logits, value = self.network(state)
        odds = {a: math.exp(logits[a]) for a in state.legal_actions()}
        prior = {a: weight / sum(odds.values()) for a, weight in odds.items()}
        return {"prior": prior, "children": {}, "count": 1, "sum": value}

    def search(self, state: pyspiel.State, simulations: int) -> list[int]:
        root = self.expand(state)
        for _ in range(simulations):
            self.visit(root, state.clone())
        children = root["children"]
        return [children[a]["count"] if a in children else 0 for a in range(9)]

    def visit(self, node: dict[str, Any], state: pyspiel.State) -> float:
        """One more visit of an expanded node; its value as the node's mover sees it."""
        mover = state.current_player()
        children = node["children"]

        def ucb(action: int) -> float:
            rate = math.log((node["count"] + 19652 + 1) / 19652) + 1.25
            n, q = 0, 0.0
            if action in children:
                n = children[action]["count"]
                q = -children[action]["sum"] / n
            return q + rate * math.sqrt(node["count"]) / (n + 1) * node["prior"][action]

        action = max(node["prior"], key=ucb)
        state.apply_action(action)
        if state.is_terminal():
            # To the player who would be next.
            value = state.player_return(1 - mover)
            child = children.setdefault(action, {"count": 0, "sum": 0.0})
            child["count"] += 1
            child["sum"] += value
        elif action not in children:
            children[action] = self.expand(state)
            value = children[action]["sum"]
        else:
            value = self.visit(children[action], state)
        node["count"] += 1
        node["sum"] -= value
        return -value


def positions(count: int) -> list[pyspiel.State]:
    """Positions of random games, the first one empty, none terminal."""
    game, choices = pyspiel.load_game("tic_tac_toe"), np.random.default_rng(3)
    found: dict[str, pyspiel.State] = {}
    while len(found) < count:
        state = game.new_initial_state()
        while not state.is_terminal():
            found.setdefault(str(state), state.clone())
            state.apply_action(int(choices.choice(state.legal_actions())))
    return list(found.values())[:count]


@pytest.mark.parametrize(("norm", "seed"), [("none", 0), ("layer_norm", 1)])
def test_search_with_true_dynamics_has_the_visit_counts_of_alphazero(
    tic_tac_toe: GameTableEnvironment, norm: str, seed: int
) -> None:
    model, planner = simulator(norm, seed)
    games = positions(150)
    state = torch.cat([number(tic_tac_toe, game.history()) for game in games])
    generator = torch.Generator()
    with torch.inference_mode():
        root = model.represent(tic_tac_toe.observe(state), generator, state)
        plan = planner.plan(model, root, tic_tac_toe.legal(state), generator)
        reference = AlphaZero(model)
        visits = [reference.search(game, SIMULATIONS) for game in games]
    assert plan.visits.tolist() == visits
    # The comparison is one of searches that spread out, not of 150 forced moves.
    assert float((plan.visits > 5).sum(1).float().mean()) > 2


def number(environment: GameTableEnvironment, history: list[int]) -> torch.Tensor:
    """The environment's state after these moves. [1]"""
    state = environment.reset(1, torch.Generator())
    for action in history:
        state, _ = environment.step(state, torch.tensor([action]), torch.Generator())
    return state


# --- moves that the rules forbid -----------------------------------------------------------------

TRUE = {
    "model.dynamics": "true",
    "losses.reward": None,
    "losses.termination": None,
    "procedure.steps": 200,
    "measures": {},
}


@pytest.mark.parametrize(
    "planner", [{"name": "one_step"}, {"name": "depth_d", "depth": 2, "interior_legality": True}]
)
def test_full_tree_with_true_dynamics_gives_the_value_of_every_legal_action(
    planner: dict[str, Any], tic_tac_toe: GameTableEnvironment
) -> None:
    environment = tic_tac_toe
    searchless = {name: value for name, value in TINY.items() if name != "planner.simulations"}
    parts = build(trial(TRUE | {"planner": planner}, base=searchless))
    model: Any = parts.model.eval()
    state = torch.tensor([0, *environment.positions()[::500].tolist()]).unique()
    random = torch.Generator()
    with torch.inference_mode():
        root = model.represent(environment.observe(state), random, state)
        legal = environment.legal(state)
        plan = parts.planner.plan(model, root, legal, random)
        for row, move in legal.nonzero().tolist():
            then = environment.table.successor[state[row], move]
            values = _negamax(model, environment, int(then), planner.get("depth", 1) - 1)
            expected = float(environment.table.reward[state[row], move]) - values
            assert float(plan.q[row, move]) == pytest.approx(expected, abs=1e-5)
    assert not plan.policy[~legal].any()


def _negamax(model: Any, environment: GameTableEnvironment, state: int, depth: int) -> float:
    """To the player to move, by plain recursion over the rules."""
    if environment.table.terminal[state]:
        return 0.0
    at = torch.tensor([state])
    if depth == 0:
        random = torch.Generator()
        return float(model.predict(model.represent(environment.observe(at), random, at)).value)
    moves = environment.table.legal[state].nonzero().flatten().tolist()
    return max(
        float(environment.table.reward[state, move])
        - _negamax(model, environment, int(environment.table.successor[state, move]), depth - 1)
        for move in moves
    )


def test_windows_past_a_truncation_may_contain_illegal_actions(
    tmp_path: Path,
) -> None:
    changes = {"planner.interior_legality": True, "procedure.sequence_length": 2}
    config = trial(TRUE | changes | {"procedure.temperature": {"sampled_actions": None}})
    run_trial(config, tmp_path / "trial")
    assert read_rows(tmp_path / "trial" / METRICS)
