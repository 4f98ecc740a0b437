"""Imagined values beside the return that the agent's own play has from the true state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.play.decision_rules import by_search
from workbench.measures.play.episodes import AgentPlayer, play, stream
from workbench.measures.prediction.metric_accumulator import Tally
from workbench.models.world_model import WorldModel, stack
from workbench.types import Environment, State, choose, leaves, map_tensors

NAME = "return_error"


@dataclass(frozen=True)
class Walks:
    """Random moves from states of random play."""

    state: State  # [B, K+1, ...]
    action: Tensor  # [B, K]
    going: Tensor  # [B, K+1] bool, neither ended nor cut until there


def random_walks(environment: Environment, many: int, longest: int, depth: int) -> Walks:
    """Half begin where episodes do, half after 0 to `longest` random moves, or before the end.

    Of a game of two, which has one beginning, all of them after random moves.
    """
    generator = stream("walks")
    state = environment.reset(many, generator)
    moves = torch.randint(longest + 1, (many,), generator=generator)
    if not environment.spec.alternating:
        moves[: many // 2] = 0
    walking = torch.ones(many, dtype=torch.bool)
    for step in range(longest):
        then, on, _ = _moved(environment, state, generator)
        walking &= on & (step < moves)
        state = choose(walking, then, state)
    states, actions, going = [state], [], [torch.ones(many, dtype=torch.bool)]
    for _ in range(depth):
        state, on, action = _moved(environment, state, generator)
        states.append(state)
        actions.append(action)
        going.append(going[-1] & on)
    return Walks(stack(states), torch.stack(actions, 1), torch.stack(going, 1))


def _moved(
    environment: Environment, state: State, generator: Generator
) -> tuple[State, Tensor, Tensor]:
    """One random step: where it leads, whether it goes on there [B] bool, and the action [B]."""
    legal = environment.legal(state).float()
    over = ~legal.bool().any(-1, keepdim=True)
    action = torch.multinomial(legal + over, 1, generator=generator).squeeze(1)
    then, transition = environment.step(state, action, generator)
    return then, ~(transition.terminated | transition.truncated), action


class ReturnError:
    """(v(g^k(h(o_0))) - G)^2 at k = 0..K; G is the discounted return of greedy search from s_k.

    In a game of two the agent plays both sides, and G is what the mover at s_k gains. One episode
    from each state: exact where the world is deterministic; where moves slip, it is a
    sample, whose variance is part of the error. An episode that is cut, by the world's time limit
    or after `max_steps`, counts with what it gained until then: nothing is added for the rest.
    """

    def __init__(self, environment: Environment, walks: Walks, max_steps: int) -> None:
        self._environment, self._walks, self._max_steps = environment, walks, max_steps

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        walks, generator, tally = self._walks, Generator(), Tally()
        returns = self._returns(agent, planner)
        start = map_tensors(lambda states: states[:, 0], walks.state)
        latent = agent.represent(self._environment.observe(start), generator, start)
        for k in range(walks.going.shape[1]):
            if k:
                action = walks.action[:, k - 1].to(agent.device)
                latent, _ = agent.step(latent, action, generator)
            value = agent.predict(latent).value.cpu()
            tally.mean(NAME, k, (value - returns[:, k]).square(), walks.going[:, k])
        return tally.readings()

    def facts(self) -> Facts:
        """How much the returns vary depends on the agent, and so no level is known."""
        going = self._walks.going
        counts = {f"predictive/{NAME}": going.sum(0).tolist()}
        return Facts(digest(*leaves(self._walks), self._max_steps), len(going), counts, {})

    def _returns(self, agent: WorldModel, planner: Planner) -> Tensor:
        """Of greedy play from every true state, all side by side. [B, K+1] float64"""
        going = self._walks.going
        state = map_tensors(lambda states: states[going], self._walks.state)
        turn = torch.zeros(int(going.sum()), dtype=torch.int64)
        player = AgentPlayer(agent, planner, by_search)
        played = play(self._environment, state, [player], turn, stream("episodes"), self._max_steps)
        returns = torch.zeros(going.shape, dtype=torch.float64)
        returns[going] = played.discounted
        return returns
