"""The regret of an agent with parts replaced, and its division among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any

from workbench.contracts import Facts, Parts, Planner
from workbench.measures.exact.solved_positions import JudgedPositions
from workbench.measures.interventions.substituted_model import (
    Replaced,
    Replacement,
    with_true_dynamics,
)
from workbench.measures.play.decision_rules import by_prior, by_search, planner_with
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel

REPLACED = {"dynamics": "true", "prior": "uniform", "value": "oracle"}
"""By part, what is put in the place of what was learned."""

REGRET = "decision/transplant_regret"


class RegretByPart:
    """Every combination of learned and replaced parts, and the Shapley value of each part."""

    def __init__(self, parts: Parts, judged: JudgedPositions, simulations: Sequence[int]) -> None:
        self._parts, self._judged, self._simulations = parts, judged, simulations

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        row: dict[str, float | None] = {}
        for many in self._simulations:
            regrets = {swapped: self._regret(agent, planner, swapped, many) for swapped in ways()}
            for swapped, regret in regrets.items():
                row[_reading(swapped, many)] = regret
            for part, share in shapley(regrets).items():
                at = {"part": part, "simulations": str(many)}
                row[str(Reading("decision/regret_owed", None, at))] = share
            with_model = regrets[frozenset({"dynamics"})]
            at = {"simulations": str(many)}
            gain = regrets[frozenset()] - with_model
            row[str(Reading("decision/model_regret", None, at))] = gain
        return row

    def facts(self) -> Facts:
        chance = self._judged.expected("any", self._judged.uniform)["decision/any_regret"]
        assert chance is not None
        level = {"chance": chance, "oracle": 0.0}
        levels = {
            _reading(swapped, many): level for swapped in ways() for many in self._simulations
        }
        return Facts(self._judged.digest, len(self._judged), {}, levels)

    def _regret(
        self, agent: WorldModel, planner: Planner, swapped: frozenset[str], simulations: int
    ) -> float:
        if not simulations:
            return self._without_search(agent, planner, swapped)
        world: Any = self._parts.environment
        changes: dict[str, Any] = {}
        if swapped:
            how = Replacement(**{part: REPLACED[part] for part in swapped})  # type: ignore[arg-type]
            if "dynamics" in swapped:
                agent, changes = with_true_dynamics(agent, world, how), _knowing(self._parts)
            else:
                agent = Replaced(agent, world, how)
        searched = planner_with(self._parts, simulations, **changes)
        moves = self._judged.moves(agent, searched, by_search)
        return float(self._judged.regrets(moves).double().mean())

    def _without_search(
        self, agent: WorldModel, planner: Planner, swapped: frozenset[str]
    ) -> float:
        """Of the prior alone: neither dynamics nor value has a say."""
        if "prior" in swapped:
            uniform = self._judged.expected("any", self._judged.uniform)["decision/any_regret"]
            assert uniform is not None
            return uniform
        moves = self._judged.moves(agent, planner, by_prior)
        return float(self._judged.regrets(moves).double().mean())


def ways() -> Iterator[frozenset[str]]:
    """Every set of parts that can be replaced, the empty one first."""
    for chosen in product((False, True), repeat=len(REPLACED)):
        yield frozenset(part for part, taken in zip(REPLACED, chosen, strict=True) if taken)


def shapley(regrets: Mapping[frozenset[str], float]) -> dict[str, float]:
    """By part, the regret that replacing it saves, a mean over all orders; and what is `left`.

    All together they are the regret of the agent with nothing replaced (Shapley 1953).
    """
    orders = list(permutations(REPLACED))
    owed = dict.fromkeys(REPLACED, 0.0)
    for order in orders:
        for i, part in enumerate(order):
            before, after = frozenset(order[:i]), frozenset(order[: i + 1])
            owed[part] += (regrets[before] - regrets[after]) / len(orders)
    return owed | {"left": regrets[frozenset(REPLACED)]}


def _knowing(parts: Parts) -> dict[str, Any]:
    """In the true world only legal moves can be made."""
    there = "interior_legality" in type(parts.config.planner).model_fields
    return {"interior_legality": True} if there else {}


def _reading(swapped: frozenset[str], simulations: int) -> str:
    at = {part: REPLACED[part] if part in swapped else "learned" for part in REPLACED}
    return str(Reading(REGRET, None, at | {"simulations": str(simulations)}))
