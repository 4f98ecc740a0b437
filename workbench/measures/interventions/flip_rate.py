"""Effect of oracle predictions at one depth of the tree."""

from __future__ import annotations

from typing import Any

from workbench.contracts import MeasureInfo, Planner, TrialParts
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.interventions.substituted_model import OracleSubstitutedModel, Substitution
from workbench.measures.play.decision_rules import planner_with, search_action
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel


class FlipRate:
    """Decisions changed and regret saved by true reward, termination and value at depth k."""

    def __init__(
        self, parts: TrialParts, judged: SolvedPositions, depth: int, simulations: int
    ) -> None:
        self._environment: Any = parts.environment
        self._judged, self._depth, self._simulations = judged, depth, simulations
        self._planner = planner_with(parts, simulations)

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        usual = self._judged.chosen_moves(agent, self._planner, search_action)
        before = self._judged.regrets(usual).double().mean()
        row: dict[str, float | None] = {}
        for k in range(1, self._depth + 1):
            corrected = OracleSubstitutedModel(agent, self._environment, Substitution(truth_at=k))
            moves = self._judged.chosen_moves(corrected, self._planner, search_action)
            after = self._judged.regrets(moves).double().mean()
            row[self._reading("flip_rate", k)] = float((moves != usual).double().mean())
            row[self._reading("flip_gain", k)] = float(before - after)
        return row

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        return MeasureInfo(self._judged.digest, len(self._judged), {}, {})

    def _reading(self, name: str, k: int) -> str:
        return str(Reading(f"decision/{name}", k, {"simulations": str(self._simulations)}))
