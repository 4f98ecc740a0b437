"""Decision quality by the number of simulations."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.contracts import Facts, Parts, Planner
from workbench.measures.exact.solved_positions import JudgedPositions
from workbench.measures.play.decision_rules import by_prior, by_search, planner_with
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel


class QualityByBudget:
    """Optimal-move rate, regret and blunders at every size of search, beside the prior alone."""

    def __init__(self, parts: Parts, judged: JudgedPositions, simulations: Sequence[int]) -> None:
        self._judged, self._simulations = judged, simulations
        self._planners = {many: planner_with(parts, many) for many in simulations if many}

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        prior = self._judged.moves(agent, planner, by_prior)
        before = self._judged.regrets(prior).double()
        row: dict[str, float | None] = {}
        for many in self._simulations:
            searched = self._planners.get(many)
            moves = self._judged.moves(agent, searched, by_search) if searched else prior
            after = self._judged.regrets(moves).double()
            found = self._judged.qualities({"search": moves})
            found["decision/planning_gain"] = float((before - after).mean())
            found["decision/worsened"] = float((after > before).double().mean())
            row |= {_at(name, many): value for name, value in found.items()}
        return row

    def facts(self) -> Facts:
        quality = {
            name: level
            for name, level in self._judged.levels().items()
            if name.startswith("decision/search")
        }
        nothing = {f"decision/{name}": {"chance": 0.0} for name in ("planning_gain", "worsened")}
        levels = {
            _at(name, many): level
            for many in self._simulations
            for name, level in (quality | nothing).items()
        }
        return Facts(self._judged.digest, len(self._judged), {}, levels)


def _at(name: str, simulations: int) -> str:
    return str(Reading(name, None, {"simulations": str(simulations)}))
