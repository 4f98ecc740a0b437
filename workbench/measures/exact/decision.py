"""How well an agent decides, against the exact solution: positions, and lines of play."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.exact.judged import JudgedPositions
from workbench.measures.frozen.positions import FrozenPositions
from workbench.models.world_model import WorldModel
from workbench.types import Environment, ListedEnvironment


class FrozenDecisionQuality:
    """Optimal-move rate and regret of prior and search over frozen positions."""

    def __init__(self, environment: Environment, frozen: FrozenPositions) -> None:
        self._frozen = frozen
        self._judged = JudgedPositions(environment, frozen.state, frozen.q)

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        return self._judged.qualities(self._judged.decide(agent, planner))

    def facts(self) -> Facts:
        return Facts(self._frozen.digest, len(self._frozen.q), {}, self._judged.levels())


class DecisionQuality:
    """The same over every position, and the lines of play in which the agent loses."""

    def __init__(self, environment: ListedEnvironment) -> None:
        self._environment = environment
        self._positions = environment.positions()
        self._judged = JudgedPositions(environment, self._positions, environment.q(self._positions))

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        decided = self._judged.decide(agent, planner)
        first, second = self._losing_lines(decided["search"])
        return {
            "decision/losing_lines": float(first + second),
            "decision/losing_lines_first": float(first),
            "decision/losing_lines_second": float(second),
        } | self._judged.qualities(decided)

    def facts(self) -> Facts:
        perfect = {
            f"decision/losing_lines{side}": {"oracle": 0.0} for side in ("", "_first", "_second")
        }
        return Facts("", len(self._positions), {}, perfect | self._judged.levels())

    def _losing_lines(self, search: Tensor) -> tuple[int, int]:
        """Lines that the agent loses as first and as second player."""

        def decide(state: Tensor) -> Tensor:
            return search[torch.searchsorted(self._positions, state)]

        return tuple(  # type: ignore[return-value]
            losing_lines(self._environment, decide, second) for second in (False, True)
        )


def losing_lines(environment: Environment, decide: Callable[[Tensor], Tensor], second: bool) -> int:
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
