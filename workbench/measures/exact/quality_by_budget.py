"""Decision quality by number of simulations."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.contracts import MeasureInfo, Planner, TrialParts
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.play.decision_rules import planner_with, prior_action, search_action
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel


class QualityByBudget:
    """Optimal-move rate, regret and blunders for every search budget, and for the prior alone."""

    def __init__(
        self, parts: TrialParts, judged: SolvedPositions, simulations: Sequence[int]
    ) -> None:
        self._judged, self._simulations = judged, simulations
        self._planners = {many: planner_with(parts, many) for many in simulations if many}

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        prior = self._judged.chosen_moves(agent, planner, prior_action)
        before = self._judged.regrets(prior).double()
        row: dict[str, float | None] = {}
        for many in self._simulations:
            searched = self._planners.get(many)
            moves = self._judged.chosen_moves(agent, searched, search_action) if searched else prior
            after = self._judged.regrets(moves).double()
            found = self._judged.qualities({"search": moves})
            found["decision/planning_gain"] = float((before - after).mean())
            found["decision/worsened_rate"] = float((after > before).double().mean())
            row |= {_at(name, many): value for name, value in found.items()}
        return row

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        quality = {
            name: level
            for name, level in self._judged.levels().items()
            if name.startswith("decision/search")
        }
        nothing = {
            f"decision/{name}": {"naive": 0.0} for name in ("planning_gain", "worsened_rate")
        }
        levels = {
            _at(name, many): level
            for many in self._simulations
            for name, level in (quality | nothing).items()
        }
        return MeasureInfo(self._judged.digest, len(self._judged), {}, levels)


def _at(name: str, simulations: int) -> str:
    return str(Reading(name, None, {"simulations": str(simulations)}))
