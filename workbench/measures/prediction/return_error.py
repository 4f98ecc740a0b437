"""Predicted values against returns of the agent's own play from the true state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.play.decision_rules import search_action
from workbench.measures.play.episodes import AgentPlayer, fixed_generator, play
from workbench.measures.prediction.metric_accumulator import MetricAccumulator
from workbench.models.world_model import WorldModel, stack
from workbench.types import Environment, State, tree_leaves, tree_map, where

NAME = "return_error"


@dataclass(frozen=True)
class Walks:
    """Random actions from states of random play."""

    state: State  # [B, K+1, ...]
    action: Tensor  # [B, K]
    going: Tensor  # [B, K+1] bool, neither terminated nor truncated so far


def random_walks(environment: Environment, many: int, longest: int, depth: int) -> Walks:
    """Start half at initial states, half after 0 to `longest` random actions, or before the end.

    A two-player game has one initial state, so all start after random moves.
    """
    generator = fixed_generator("walks")
    state = environment.reset(many, generator)
    moves = torch.randint(longest + 1, (many,), generator=generator)
    if not environment.spec.alternating:
        moves[: many // 2] = 0
    walking = torch.ones(many, dtype=torch.bool)
    for step in range(longest):
        then, on, _ = _random_step(environment, state, generator)
        walking &= on & (step < moves)
        state = where(walking, then, state)
    states, actions, going = [state], [], [torch.ones(many, dtype=torch.bool)]
    for _ in range(depth):
        state, on, action = _random_step(environment, state, generator)
        states.append(state)
        actions.append(action)
        going.append(going[-1] & on)
    return Walks(stack(states), torch.stack(actions, 1), torch.stack(going, 1))


def _random_step(
    environment: Environment, state: State, generator: Generator
) -> tuple[State, Tensor, Tensor]:
    """Take one random step: next state, whether it continues [B] bool, and the action [B]."""
    legal = environment.legal(state).float()
    over = ~legal.bool().any(-1, keepdim=True)
    action = torch.multinomial(legal + over, 1, generator=generator).squeeze(1)
    then, transition = environment.step(state, action, generator)
    return then, ~(transition.terminated | transition.truncated), action


class ReturnError:
    """(v(g^k(h(o_0))) - G)^2 at k = 0..K; G is the discounted return of greedy search from s_k.

    In a two-player game the agent plays both sides, and G is the return of the player to move at
    s_k. There is one episode per state. It is exact in a deterministic environment; otherwise it is
    a sample whose variance is part of the error. An episode truncated by the environment or after
    `max_steps` counts with its return so far, without a bootstrap value.
    """

    def __init__(self, environment: Environment, walks: Walks, max_steps: int) -> None:
        self._environment, self._walks, self._max_steps = environment, walks, max_steps

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        walks, generator, tally = self._walks, Generator(), MetricAccumulator()
        returns = self._returns(agent, planner)
        start = tree_map(lambda states: states[:, 0], walks.state)
        latent = agent.represent(self._environment.observe(start), generator, start)
        for k in range(walks.going.shape[1]):
            if k:
                action = walks.action[:, k - 1].to(agent.device)
                latent, _ = agent.step(latent, action, generator)
            value = agent.predict(latent).value.cpu()
            tally.mean(NAME, k, (value - returns[:, k]).square(), walks.going[:, k])
        return tally.readings()

    def info(self) -> MeasureInfo:
        """Return no levels: the variance of the returns depends on the agent."""
        going = self._walks.going
        counts = {f"predictive/{NAME}": going.sum(0).tolist()}
        return MeasureInfo(
            digest(*tree_leaves(self._walks), self._max_steps), len(going), counts, {}
        )

    def _returns(self, agent: WorldModel, planner: Planner) -> Tensor:
        """[B, K+1] float64 Returns of greedy play from every true state, played in parallel."""
        going = self._walks.going
        state = tree_map(lambda states: states[going], self._walks.state)
        turn = torch.zeros(int(going.sum()), dtype=torch.int64)
        player = AgentPlayer(agent, planner, search_action)
        played = play(
            self._environment, state, [player], turn, fixed_generator("episodes"), self._max_steps
        )
        returns = torch.zeros(going.shape, dtype=torch.float64)
        returns[going] = played.discounted
        return returns
