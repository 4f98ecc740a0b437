"""A model with chance nodes (Stochastic MuZero's shape): the search finds exact expectimax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.models.world_model import WorldModel
from workbench.planning.puct import PUCT
from workbench.types import Edge, EnvironmentSpec, Heads, LatentSpec, ModelSpec, Plan

ODDS = torch.tensor([0.5, 0.3, 0.2])
MOVES, OUTCOMES, ROUNDS = 2, 3, 2
STATES = (MOVES * OUTCOMES) ** ROUNDS


@dataclass(frozen=True)
class Where:
    game: Tensor  # [B] whose pay-offs count
    at: Tensor  # [B] number of the state or afterstate
    played: Tensor  # [B] half steps so far


class DiceGame(WorldModel):
    """Two rounds of choose, then roll; every roll pays. Value heads know nothing."""

    spec = ModelSpec(LatentSpec("vector", (1,)), MOVES, frozenset({"policy", "value"}), chance=3)

    def __init__(self, pay: Tensor) -> None:
        super().__init__()
        self.pay = pay  # [game, round, state after the roll]

    def represent(self, observation: Tensor, generator: Generator, state: object = None) -> Where:
        nowhere = torch.zeros(len(observation), dtype=torch.int64)
        return Where(observation[:, 0].long(), nowhere, nowhere)

    def step(self, latent: Where, action: Tensor, generator: Generator) -> tuple[Where, Edge]:
        rolls = latent.played % 2 == 1
        at = latent.at * torch.where(rolls, OUTCOMES, MOVES) + action
        over = latent.played + 1 == 2 * ROUNDS
        index = at.clamp(max=self.pay.shape[2] - 1)
        reward = self.pay[latent.game, (latent.played // 2).clamp(max=ROUNDS - 1), index].where(
            rolls, torch.zeros(())
        )
        return Where(latent.game, at, latent.played + 1), Edge(reward, (~over).float())

    def predict(self, latent: Where) -> Heads:
        batch = len(latent.at)
        return Heads(
            policy=torch.zeros(batch, MOVES),
            value=torch.zeros(batch),
            chance=ODDS.expand(batch, -1),
            at_chance=latent.played % 2 == 1,
        )


def expectimax(pay: Tensor, round_: int = 0, state: int = 0) -> list[float]:
    """Exact values of the two choices."""
    values = []
    for move in range(MOVES):
        total = 0.0
        for outcome, odds in enumerate(ODDS.tolist()):
            then = (state * MOVES + move) * OUTCOMES + outcome
            onward = max(expectimax(pay, round_ + 1, then)) if round_ + 1 < ROUNDS else 0.0
            total += odds * (float(pay[round_, then]) + onward)
        values.append(total)
    return values


def search(pay: Tensor, legal: Tensor, simulations: int) -> Plan:
    # A small c1 keeps small what the exploring of worse moves takes from the means.
    config = PUCT(simulations=simulations, q_normalisation="none", c1=0.25)
    planner, model = config.build(EnvironmentSpec("dice", (1,), MOVES)), DiceGame(pay)
    root = model.represent(torch.arange(len(pay))[:, None], torch.Generator())
    return planner.plan(model, root, legal, torch.Generator())


def test_search_over_chance_nodes_converges_to_expectimax() -> None:
    pay = torch.rand(20, ROUNDS, STATES, generator=torch.Generator().manual_seed(3))
    exact = torch.tensor([expectimax(game) for game in pay])
    best = exact.max(-1).values
    errors = []
    for simulations in (60, 6000):
        plan = search(pay, torch.ones(20, MOVES, dtype=torch.bool), simulations)
        chosen = plan.best_action()[:, None]
        errors.append((plan.q.gather(1, chosen).squeeze(1) - best).abs())
    assert (best - exact.gather(1, chosen).squeeze(1)).max() < 0.01
    assert errors[1].max() < 0.02
    assert errors[1].mean() < errors[0].mean() / 5


def test_chance_outcomes_are_visited_in_proportion_to_their_probability() -> None:
    pay = torch.zeros(1, ROUNDS, STATES)
    pay[0, 0, 0] = 1.0  # the first move pays 1 half of the time
    plan = search(pay, torch.tensor([[True, False]]), 2000)
    assert abs(float(plan.q[0, 0]) - 0.5) < 0.001
