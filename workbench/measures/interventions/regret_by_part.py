"""Regret of an agent with substituted parts, and its attribution to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any

from workbench.contracts import MeasureInfo, Planner, TrialParts
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.interventions.substituted_model import (
    OracleSubstitutedModel,
    Substitution,
    with_true_dynamics,
)
from workbench.measures.play.decision_rules import planner_with, prior_action, search_action
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel

REPLACED = {"dynamics": "true", "prior": "uniform", "value": "oracle"}
"""For each part, its substitute."""

REGRET = "decision/transplant_regret"


class RegretByPart:
    """Regret of all combinations of learned and substituted parts, and their Shapley values."""

    def __init__(
        self, parts: TrialParts, judged: SolvedPositions, simulations: Sequence[int]
    ) -> None:
        self._parts, self._judged, self._simulations = parts, judged, simulations

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        row: dict[str, float | None] = {}
        for many in self._simulations:
            regrets = {
                swapped: self._regret(agent, planner, swapped, many) for swapped in all_subsets()
            }
            for swapped, regret in regrets.items():
                row[_reading(swapped, many)] = regret
            for part, effect in shapley(regrets).items():
                at = {"part": part, "simulations": str(many)}
                row[str(Reading("decision/substitution_effect", None, at))] = effect
            with_model = regrets[frozenset({"dynamics"})]
            at = {"simulations": str(many)}
            gain = regrets[frozenset()] - with_model
            row[str(Reading("decision/model_regret", None, at))] = gain
        return row

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        chance = self._judged.expected("any", self._judged.uniform)["decision/any_regret"]
        assert chance is not None
        level = {"naive": chance, "oracle": 0.0}
        levels = {
            _reading(swapped, many): level
            for swapped in all_subsets()
            for many in self._simulations
        }
        return MeasureInfo(self._judged.digest, len(self._judged), {}, levels)

    def _regret(
        self, agent: WorldModel, planner: Planner, swapped: frozenset[str], simulations: int
    ) -> float:
        if not simulations:
            return self._without_search(agent, planner, swapped)
        environment: Any = self._parts.environment
        changes: dict[str, Any] = {}
        if swapped:
            how = Substitution(**{part: REPLACED[part] for part in swapped})  # type: ignore[arg-type]
            if "dynamics" in swapped:
                agent, changes = (
                    with_true_dynamics(agent, environment, how),
                    _legality_option(self._parts),
                )
            else:
                agent = OracleSubstitutedModel(agent, environment, how)
        searched = planner_with(self._parts, simulations, **changes)
        moves = self._judged.chosen_moves(agent, searched, search_action)
        return float(self._judged.regrets(moves).double().mean())

    def _without_search(
        self, agent: WorldModel, planner: Planner, swapped: frozenset[str]
    ) -> float:
        """Return the regret of the prior alone, which depends on neither dynamics nor value."""
        if "prior" in swapped:
            uniform = self._judged.expected("any", self._judged.uniform)["decision/any_regret"]
            assert uniform is not None
            return uniform
        moves = self._judged.chosen_moves(agent, planner, prior_action)
        return float(self._judged.regrets(moves).double().mean())


def all_subsets() -> Iterator[frozenset[str]]:
    """Return all subsets of the replaceable parts, the empty one first."""
    for chosen in product((False, True), repeat=len(REPLACED)):
        yield frozenset(part for part, taken in zip(REPLACED, chosen, strict=True) if taken)


def shapley(regrets: Mapping[frozenset[str], float]) -> dict[str, float]:
    """Return the effect of replacing each part on the regret, averaged over all orders.

    The regret of the unchanged agent and the effects add up to the regret of the agent with all
    parts replaced (Shapley 1953).
    """
    orders = list(permutations(REPLACED))
    effects = dict.fromkeys(REPLACED, 0.0)
    for order in orders:
        for i, part in enumerate(order):
            before, after = frozenset(order[:i]), frozenset(order[: i + 1])
            effects[part] += (regrets[after] - regrets[before]) / len(orders)
    return effects


def _legality_option(parts: TrialParts) -> dict[str, Any]:
    """Mask illegal actions in the true environment, which does not accept them."""
    there = "interior_legality" in type(parts.config.planner).model_fields
    return {"interior_legality": True} if there else {}


def _reading(swapped: frozenset[str], simulations: int) -> str:
    at = {part: REPLACED[part] if part in swapped else "learned" for part in REPLACED}
    return str(Reading(REGRET, None, at | {"simulations": str(simulations)}))
