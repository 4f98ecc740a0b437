"""The reference search equals the compiled one, and takes a new selection rule in a few lines."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.seams.test_chance import MOVES, ROUNDS, DiceGame
from tests.seams.test_chance import STATES as PAIRS
from tests.workbench.fakes import TableModel, random_table
from tests.workbench.planning import test_gumbel, test_search
from tests.workbench.planning.test_gumbel import bandits
from workbench.errors import TrialDiverged
from workbench.planning.gumbel import Gumbel
from workbench.planning.puct import PUCT
from workbench.planning.tree.reference import ReferenceSearch, SearchTree, SelectionRule
from workbench.planning.tree.reference_rules import GumbelRule, PUCTRule
from workbench.types import EnvironmentSpec, Plan

STATES, ACTIONS, TREES, SIMULATIONS = 40, 5, 24, 40
BOUNDS = (-2.0, 3.0)
TABLE = EnvironmentSpec("table", (1,), ACTIONS, bounds=BOUNDS)


def assert_equal(reference: Plan, compiled: Plan, legal: Tensor) -> None:
    assert torch.equal(reference.visits, compiled.visits)
    assert torch.equal(reference.depth, compiled.depth)
    assert torch.allclose(reference.value, compiled.value, atol=2e-6, rtol=0)
    assert torch.allclose(reference.policy, compiled.policy, atol=2e-6, rtol=0)
    # The q of illegal actions is unspecified.
    assert torch.allclose(reference.q[legal], compiled.q[legal], atol=2e-6, rtol=0)
    if compiled.action is not None:
        assert reference.action is not None
        assert torch.equal(reference.action, compiled.action)


def some_legal(seed: int) -> Tensor:
    legal = torch.rand(TREES, ACTIONS, generator=Generator().manual_seed(seed)) < 0.5
    legal[:, 2] = True
    return legal


@pytest.mark.parametrize(("normalisation", "unvisited", "termination", "masked"), test_search.RULES)
def test_puct_equals_the_compiled_search(
    normalisation: Any, unvisited: str, termination: bool, masked: bool
) -> None:
    model = random_table(STATES, ACTIONS, seed=3, legality=True)
    legal = some_legal(1) if masked else torch.ones(TREES, ACTIONS, dtype=torch.bool)
    options: dict[str, Any] = {"interior_legality": masked, "simulations": SIMULATIONS}
    options["use_predicted_termination"] = termination
    compiled = PUCT(q_normalisation=normalisation, unvisited_q=unvisited, **options).build(TABLE)
    rule = PUCTRule(
        normalisation=normalisation, unvisited_parent=unvisited == "parent", bounds=BOUNDS
    )
    plans = [
        planner.plan(model, torch.arange(TREES), legal, Generator())
        for planner in (ReferenceSearch(rule, **options), compiled)
    ]
    assert_equal(*plans, legal)


@pytest.mark.parametrize(
    ("normalisation", "considered", "termination", "masked", "noisy"), test_gumbel.RULES
)
def test_gumbel_equals_the_compiled_search(
    normalisation: Any, considered: int, termination: bool, masked: bool, noisy: bool
) -> None:
    model = random_table(STATES, ACTIONS, seed=4, legality=True)
    legal = some_legal(2) if masked else torch.ones(TREES, ACTIONS, dtype=torch.bool)
    options: dict[str, Any] = {"interior_legality": masked, "simulations": SIMULATIONS}
    options["use_predicted_termination"] = termination
    rules: dict[str, Any] = {"c_visit": 20.0, "c_scale": 0.1 if normalisation == "min_max" else 0.7}
    rules["max_considered"] = considered
    compiled = Gumbel(q_normalisation=normalisation, **rules, **options).build(TABLE)
    rule = GumbelRule(SIMULATIONS, normalisation=normalisation, bounds=BOUNDS, **rules)
    plans = [
        planner.plan(model, torch.arange(TREES), legal, Generator().manual_seed(5), noisy)
        for planner in (ReferenceSearch(rule, **options), compiled)
    ]
    assert_equal(*plans, legal)


def test_root_noise_equals_that_of_the_compiled_search() -> None:
    model = random_table(STATES, ACTIONS, seed=6)
    compiled = PUCT(simulations=20, dirichlet_alpha=0.5, noise_fraction=0.5).build(TABLE)
    reference = ReferenceSearch(PUCTRule(dirichlet_alpha=0.5, noise_fraction=0.5), 20)
    legal = some_legal(3)
    plans = [
        planner.plan(model, torch.arange(TREES), legal, Generator().manual_seed(7), True)
        for planner in (reference, compiled)
    ]
    assert_equal(*plans, legal)


def test_outcomes_of_chance_nodes_equal_those_of_the_compiled_search() -> None:
    pay = torch.rand(1, ROUNDS, PAIRS, generator=Generator().manual_seed(8))
    model = DiceGame(pay)
    root = model.represent(torch.zeros(1, 1), Generator())
    legal = torch.ones(1, MOVES, dtype=torch.bool)
    spec = EnvironmentSpec("dice", (1,), MOVES)
    plans = [
        planner.plan(model, root, legal, Generator())
        for planner in (ReferenceSearch(PUCTRule(), 200), PUCT(simulations=200).build(spec))
    ]
    assert_equal(*plans, legal)


@pytest.mark.parametrize("where", ["value", "reward"])
def test_numbers_that_are_not_finite_are_reported(where: str) -> None:
    model = random_table(STATES, ACTIONS, seed=13)
    getattr(model, where)[8:] = float("nan")
    model.successor = model.successor.clamp(min=8)
    if where == "reward":
        model.reward[:] = float("nan")
    with pytest.raises(TrialDiverged):
        ReferenceSearch(PUCTRule(), 20).plan(
            model, torch.arange(8), torch.ones(8, ACTIONS, dtype=torch.bool), Generator()
        )


# A selection rule of one's own


class UCB1(SelectionRule):
    """Q(s, a) + c sqrt(ln n / N(s, a)) over unscaled Q (Auer et al. 2002); it uses no prior."""

    c = 2**0.5

    def score(self, tree: SearchTree, node: Tensor) -> Tensor:
        visits, q = tree.visits[tree.rows, node], tree.q[tree.rows, node]
        n = visits.sum(-1, keepdim=True).clamp(min=1)
        return (q + self.c * (n.log() / visits).sqrt()).where(visits > 0, torch.inf)


def test_ucb1_finds_the_best_arm_of_a_bandit() -> None:
    q = torch.rand(16, 6, generator=Generator().manual_seed(9))
    misleading = -4 * q  # the prior prefers the worst arm
    plan = ReferenceSearch(UCB1(), 600).plan(
        bandits(misleading, q),
        torch.arange(16),
        torch.ones(16, 6, dtype=torch.bool),
        Generator(),
    )
    assert torch.equal(plan.best_action(), q.argmax(1))
    assert torch.allclose(plan.q, q, atol=1e-6)


def test_ucb1_on_a_tree_worked_by_hand() -> None:
    # Two actions per state, one player, gamma 1. At the root a0 leads to state 1 (value 0) and a1
    # to state 2 (value .5); a0 of state 1 ends with reward 1, its a1 with reward 0.
    nothing = torch.zeros(4, 2, dtype=torch.float64)
    model = TableModel(
        successor=torch.tensor([[1, 2], [3, 3], [3, 3], [3, 3]]),
        reward=nothing.clone(),
        discount=torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).double(),
        logits=nothing.clone(),
        value=torch.tensor([0.25, 0.0, 0.5, 9.0]).double(),
    )
    model.reward[1, 0] = 1.0
    search = ReferenceSearch(UCB1(), simulations=4)
    plan = search.plan(model, torch.tensor([0]), torch.ones(1, 2, dtype=torch.bool), Generator())
    # Simulations 1 and 2 try a0 (0) and a1 (.5). In the third both have one visit and the same
    # bonus, so a1: below it a0 ends with 0, q(a1) = (.5 + 0) / 2. In the fourth n = 3:
    # a0 0 + sqrt(2 ln 3 / 1) = 1.482, a1 .25 + sqrt(2 ln 3 / 2) = 1.298, so a0: below it a0 ends
    # with 1, q(a0) = (0 + 1) / 2. The root's value is (.25 + 0 + .5 + 0 + 1) / 5.
    assert plan.visits.tolist() == [[2, 2]]
    assert plan.q[0].tolist() == pytest.approx([0.5, 0.25])
    assert float(plan.value) == pytest.approx(1.75 / 5)
    assert plan.depth.tolist() == [2]
