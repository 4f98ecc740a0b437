"""Open-loop play: an agent that observes only some steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor
from typing_extensions import override

from workbench.contracts import MeasureInfo, Planner
from workbench.measures.play.decision_rules import search_action
from workbench.measures.play.episodes import AgentPlayer, Player
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel
from workbench.types import State


class OpenLoopScore:
    """Return or score of the searching agent by observation interval."""

    def __init__(
        self,
        kind: str,
        gained: Callable[[Player], float],
        open_eyed: MeasureInfo,
        every: Sequence[int],
    ) -> None:
        """`kind` is `return` or `score`; `open_eyed` describes play with all observations."""
        self._kind, self._gained, self._open_eyed, self._every = kind, gained, open_eyed, every

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        return {
            self._reading(every): self._gained(OpenLoopPlayer(agent, planner, every))
            for every in self._every
        }

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        level = self._open_eyed.levels[f"decision/search_{self._kind}"]
        return replace(
            self._open_eyed, levels={self._reading(every): level for every in self._every}
        )

    def _reading(self, every: int) -> str:
        return str(Reading(f"decision/open_loop_{self._kind}", None, {"interval": str(every)}))


class OpenLoopPlayer(AgentPlayer):
    """A searching agent that observes one step in `every` and unrolls its model for the others.

    It knows all actions, including the opponent's, and its own legal actions.
    """

    def __init__(self, agent: WorldModel, planner: Planner, every: int) -> None:
        super().__init__(agent, planner, search_action)
        self._every, self._step = every, 0

    @override
    def observe(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        self._step = 0 if action is None else self._step + 1
        if action is None or self._step % self._every == 0:
            super().observe(state, observation, action)
        else:
            taken = action.to(self._agent.device)
            self._root, _ = self._agent.step(self._root, taken, self._generator)
