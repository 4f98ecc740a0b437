"""What the truth at one depth of the tree would change."""

from __future__ import annotations

from typing import Any

from workbench.contracts import Facts, Parts, Planner
from workbench.measures.exact.solved_positions import JudgedPositions
from workbench.measures.interventions.substituted_model import Replaced, Replacement
from workbench.measures.play.decision_rules import by_search, planner_with
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel


class FlipRate:
    """Moves changed, and regret saved, by true reward, end and value at depth k = 1..K."""

    def __init__(self, parts: Parts, judged: JudgedPositions, depth: int, simulations: int) -> None:
        self._world: Any = parts.environment
        self._judged, self._depth, self._simulations = judged, depth, simulations
        self._planner = planner_with(parts, simulations)

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        usual = self._judged.moves(agent, self._planner, by_search)
        before = self._judged.regrets(usual).double().mean()
        row: dict[str, float | None] = {}
        for k in range(1, self._depth + 1):
            told = Replaced(agent, self._world, Replacement(truth_at=k))
            moves = self._judged.moves(told, self._planner, by_search)
            after = self._judged.regrets(moves).double().mean()
            row[self._reading("flip_rate", k)] = float((moves != usual).double().mean())
            row[self._reading("flip_gain", k)] = float(before - after)
        return row

    def facts(self) -> Facts:
        return Facts(self._judged.digest, len(self._judged), {}, {})

    def _reading(self, name: str, k: int) -> str:
        return str(Reading(f"decision/{name}", k, {"simulations": str(self._simulations)}))
