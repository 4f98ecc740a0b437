"""A model with chance nodes (Stochastic MuZero's shape): the search finds exact expectimax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.planning.puct import PUCT
from workbench.types import Edge, EnvironmentSpec, Heads, LatentSpec, ModelSpec

ODDS = torch.tensor([0.5, 0.3, 0.2])
MOVES, OUTCOMES, ROUNDS = 2, 3, 2


@dataclass(frozen=True)
class Where:
    at: Tensor  # [B] number of the state or afterstate
    played: Tensor  # [B] half steps so far


class DiceGame(WorldModel):
    """Two rounds of choose, then roll; every roll pays. Value heads know nothing."""

    spec = ModelSpec(LatentSpec("vector", (1,)), MOVES, frozenset({"policy", "value"}), chance=3)

    def __init__(self, pay: Tensor) -> None:
        super().__init__()
        self.pay = pay  # [round, MOVES, OUTCOMES] and in round 1 by what came before

    def represent(self, observation: Tensor, generator: Generator, state: object = None) -> Where:
        return Where(torch.zeros(len(observation)).long(), torch.zeros(len(observation)).long())

    def step(self, latent: Where, action: Tensor, generator: Generator) -> tuple[Where, Edge]:
        rolls = latent.played % 2 == 1
        at = latent.at * torch.where(rolls, OUTCOMES, MOVES) + action
        over = latent.played + 1 == 2 * ROUNDS
        index = at.clamp(max=self.pay.shape[1] - 1)
        reward = self.pay[(latent.played // 2), index].where(rolls, torch.zeros(()))
        return Where(at, latent.played + 1), Edge(reward, (~over).float())

    def predict(self, latent: Where) -> Heads:
        batch = len(latent.at)
        return Heads(
            policy=torch.zeros(batch, MOVES),
            value=torch.zeros(batch),
            chance=ODDS.expand(batch, -1),
            at_chance=latent.played % 2 == 1,
        )


def expectimax(pay: Tensor, round_: int = 0, state: int = 0) -> list[float]:
    """Exact worth of the two choices."""
    worth = []
    for move in range(MOVES):
        total = 0.0
        for outcome, odds in enumerate(ODDS.tolist()):
            then = (state * MOVES + move) * OUTCOMES + outcome
            onward = max(expectimax(pay, round_ + 1, then)) if round_ + 1 < ROUNDS else 0.0
            total += odds * (float(pay[round_, then]) + onward)
        worth.append(total)
    return worth


def test_search_over_chance_nodes_converges_to_expectimax() -> None:
    generator = torch.Generator().manual_seed(3)
    # A small c1 keeps small what the exploring of worse moves takes from the means.
    planner = PUCT(simulations=3000, q_normalisation="none", c1=0.25).build(
        EnvironmentSpec("dice", (1,), MOVES)
    )
    for _ in range(20):
        pay = torch.rand(ROUNDS, (MOVES * OUTCOMES) ** 2, generator=generator)
        model = DiceGame(pay)
        root = model.represent(torch.zeros(1, 1), generator)
        plan = planner.plan(model, root, torch.ones(1, MOVES, dtype=torch.bool), generator)
        exact, chosen = expectimax(pay), int(plan.best())
        assert max(exact) - exact[chosen] < 0.01
        assert abs(float(plan.q[0, chosen]) - max(exact)) < 0.01


def test_outcomes_are_visited_in_proportion_to_their_odds() -> None:
    generator = torch.Generator()
    pay = torch.zeros(ROUNDS, (MOVES * OUTCOMES) ** 2)
    pay[0, :3] = torch.tensor([1.0, 0.0, 0.0])  # the first move pays 1 half of the time
    planner = PUCT(simulations=2000, q_normalisation="none").build(
        EnvironmentSpec("dice", (1,), MOVES)
    )
    model = DiceGame(pay)
    root = model.represent(torch.zeros(1, 1), generator)
    plan = planner.plan(model, root, torch.tensor([[True, False]]), generator)
    assert abs(float(plan.q[0, 0]) - 0.5) < 0.005
