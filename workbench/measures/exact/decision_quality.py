"""Decision quality of an agent against the exact solution: positions and losing lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.models.world_model import WorldModel
from workbench.types import Environment


class DecisionQuality:
    """Optimal-move rate, regret and blunders of prior and search, and losing lines."""

    def __init__(self, environment: Environment, judged: SolvedPositions) -> None:
        self._environment, self._judged = environment, judged
        self._followed = environment.spec.enumerable and environment.spec.alternating

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        decided = self._judged.decide(agent, planner)
        return self._lines(decided["search"]) | self._judged.qualities(decided)

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        sides = ("", "_first", "_second") if self._followed else ()
        perfect: dict[str, Mapping[str, float]] = {
            f"decision/losing_lines{side}": {"oracle": 0.0} for side in sides
        }
        judged = self._judged
        levels = perfect | judged.levels()
        return MeasureInfo(judged.digest, len(judged), {}, levels, judged.n_classes)

    def _lines(self, search: Tensor) -> dict[str, float | None]:
        if not self._followed:
            return {}
        first, second = self._losing_lines(search)
        return {
            "decision/losing_lines": float(first + second),
            "decision/losing_lines_first": float(first),
            "decision/losing_lines_second": float(second),
        }

    def _losing_lines(self, search: Tensor) -> tuple[int, int]:
        """Count the losing lines of the agent as first and as second player."""

        def decide(state: Tensor) -> Tensor:
            return search[torch.searchsorted(self._judged.state, state)]

        return tuple(  # type: ignore[return-value]
            losing_lines(self._environment, decide, second) for second in (False, True)
        )


def losing_lines(environment: Environment, decide: Callable[[Tensor], Tensor], second: bool) -> int:
    """Count the lines of play that the agent loses if the opponent tries every reply.

    Args:
        environment: the game.
        decide: returns the agent's move in each of a batch of states, [B] -> [B].
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
