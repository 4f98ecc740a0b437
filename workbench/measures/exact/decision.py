"""How well an agent decides, against the exact solution: every position, every line of play."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.exact.evaluation_set import optimal_moves
from workbench.models.world_model import WorldModel
from workbench.types import SolvedEnvironment

CHUNK = 1024
"""Positions searched at once: bounds the memory of the search."""


class DecisionQuality:
    """Optimal-move rate and regret of prior and search, and the lines in which the agent loses."""

    def __init__(self, environment: SolvedEnvironment) -> None:
        self._environment = environment
        self._positions = environment.positions()
        self._q = environment.q(self._positions)
        self._legal = self._q.isfinite()
        self._optimal = optimal_moves(self._q)
        # Positions where some legal move is worse than another.
        self._decisive = (self._legal & ~self._optimal).any(-1)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        prior, search = self._decide(agent, planner)
        first, second = self._losing_lines(search)
        return {
            **self._quality("prior", prior),
            **self._quality("search", search),
            "decision/losing_lines": float(first + second),
            "decision/losing_lines_first": float(first),
            "decision/losing_lines_second": float(second),
        }

    def facts(self) -> Facts:
        uniform = self._legal.float() / self._legal.sum(-1, keepdim=True)
        levels: dict[str, Mapping[str, float]] = {
            name: {"oracle": 0.0}
            for name in (f"decision/losing_lines{side}" for side in ("", "_first", "_second"))
        }
        for agent in ("prior", "search"):
            blind = self._expected(agent, uniform)
            for name, chance in blind.items():
                levels[name] = {"chance": chance, "oracle": 1.0 if "rate" in name else 0.0}
        return Facts("", len(self._positions), {}, levels)

    def _decide(self, agent: WorldModel, planner: Planner) -> tuple[Tensor, Tensor]:
        """[P] the best move by the prior alone, and by the search without noise."""
        generator = torch.Generator()
        priors, searches = [], []
        for state in torch.split(self._positions, CHUNK):
            legal = self._environment.legal(state)
            root = agent.represent(self._environment.observe(state), generator, state)
            policy = agent.predict(root).policy.cpu()
            priors.append(policy.masked_fill(~legal, -torch.inf).argmax(-1))
            searches.append(planner.plan(agent, root, legal, generator).best().cpu())
        return torch.cat(priors), torch.cat(searches)

    def _quality(self, agent: str, action: Tensor) -> dict[str, float]:
        chosen = torch.nn.functional.one_hot(action, self._q.shape[1]).float()
        return self._expected(agent, chosen)

    def _expected(self, agent: str, policy: Tensor) -> dict[str, float]:
        """Optimal-move rate and regret of a policy [P, A], over all and over decisive positions."""
        rate = (policy * self._optimal).sum(-1).double()
        best = self._q.max(-1).values
        lost = (best[:, None] - self._q).masked_fill(~self._legal, 0.0)
        regret = (policy * lost).sum(-1).double()
        return {
            f"decision/{agent}_optimal_rate": float(rate.mean()),
            f"decision/{agent}_optimal_rate_decisive": float(rate[self._decisive].mean()),
            f"decision/{agent}_regret": float(regret.mean()),
            f"decision/{agent}_regret_decisive": float(regret[self._decisive].mean()),
        }

    def _losing_lines(self, search: Tensor) -> tuple[int, int]:
        """Lines that the agent loses as first and as second player."""

        def decide(state: Tensor) -> Tensor:
            return search[torch.searchsorted(self._positions, state)]

        return tuple(  # type: ignore[return-value]
            losing_lines(self._environment, decide, second) for second in (False, True)
        )


def losing_lines(
    environment: SolvedEnvironment, decide: Callable[[Tensor], Tensor], second: bool
) -> int:
    """Lines of play in which the agent loses when the opponent tries every reply.

    Args:
        decide: the agent's move in each of a batch of states, [B] -> [B].
        second: whether the opponent moves first.
    """
    generator = torch.Generator()
    state: Tensor = environment.reset(1, generator)
    agents_turn, lost = not second, 0
    while len(state):
        if agents_turn:
            action = decide(state)
        else:
            row, action = environment.legal(state).nonzero(as_tuple=True)
            state = state[row]
        state, transition = environment.step(state, action, generator)
        gained = transition.reward if agents_turn else -transition.reward
        lost += int((transition.terminated & (gained < 0)).sum())
        state = state[~transition.terminated]
        agents_turn = not agents_turn
    return lost
