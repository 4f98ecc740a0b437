"""Play by an agent that is seldom shown what is so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.measures.play.decision_rules import by_search
from workbench.measures.play.episodes import AgentPlayer, Player
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel
from workbench.types import State


class SeldomSeeing:
    """What the searching agent gains, by how seldom it sees."""

    def __init__(
        self, kind: str, gained: Callable[[Player], float], open_eyed: Facts, every: Sequence[int]
    ) -> None:
        """`kind` is `return` or `score`; `open_eyed` what is known of play that sees everything."""
        self._kind, self._gained, self._open_eyed, self._every = kind, gained, open_eyed, every

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        return {
            self._reading(every): self._gained(BlindfoldedPlayer(agent, planner, every))
            for every in self._every
        }

    def facts(self) -> Facts:
        level = self._open_eyed.levels[f"decision/search_{self._kind}"]
        return replace(
            self._open_eyed, levels={self._reading(every): level for every in self._every}
        )

    def _reading(self, every: int) -> str:
        return str(Reading(f"decision/blindfold_{self._kind}", None, {"every": str(every)}))


class BlindfoldedPlayer(AgentPlayer):
    """A searching agent that is shown one observation in `every`, and imagines the others.

    It is told all moves, the other's too, and which of its own are legal.
    """

    def __init__(self, agent: WorldModel, planner: Planner, every: int) -> None:
        super().__init__(agent, planner, by_search)
        self._every, self._step = every, 0

    def look(self, state: State, observation: Tensor, action: Tensor | None) -> None:
        self._step = 0 if action is None else self._step + 1
        if action is None or self._step % self._every == 0:
            super().look(state, observation, action)
        else:
            taken = action.to(self._agent.device)
            self._root, _ = self._agent.step(self._root, taken, self._generator)
