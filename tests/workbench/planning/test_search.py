"""Tree search against the same search in plain Python, and against trees worked by hand."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import TableModel, random_table
from tests.workbench.planning.recursive_puct import Search, softmax
from workbench.errors import TrialDiverged
from workbench.planning.puct import PUCT
from workbench.types import EnvironmentSpec, Plan

STATES, ACTIONS, TREES, SIMULATIONS = 40, 5, 24, 40
BOUNDS = (-2.0, 3.0)


def planner(bounds: tuple[float, float] | None = BOUNDS, **options: Any) -> Any:
    environment = EnvironmentSpec("table", (1,), ACTIONS, bounds=bounds)
    return PUCT(**options).build(environment)


def searched(model: TableModel, root: Tensor, legal: Tensor | None = None, **options: Any) -> Plan:
    if legal is None:
        legal = torch.ones(len(root), model.spec.actions, dtype=torch.bool)
    plan: Plan = planner(**options).plan(model, root, legal, Generator())
    return plan


def plain_search(model: TableModel, termination: bool, legality: bool, **options: Any) -> Search:
    def evaluate(state: Any) -> tuple[dict[int, float], float]:
        moves = range(model.spec.actions)
        if legality and model.legal is not None:
            moves = [a for a in moves if model.legal[state, a]]
        prior = softmax([float(model.logits[state, a]) for a in moves])
        return dict(zip(moves, prior, strict=True)), float(model.value[state])

    def follow(state: Any, move: int) -> tuple[Any, float, float]:
        discount = float(model.discount[state, move])
        if termination:
            discount *= 1 - float(model.termination[state, move])
        return int(model.successor[state, move]), float(model.reward[state, move]), discount

    return Search(evaluate, follow, bounds=BOUNDS, **options)


RULES = list(
    itertools.product(
        ("min_max", "bounds", "none"), ("zero", "parent"), (False, True), (False, True)
    )
)


@pytest.mark.parametrize(("normalisation", "unvisited", "termination", "masked"), RULES)
def test_visits_and_values_equal_a_recursive_reference(
    normalisation: str, unvisited: str, termination: bool, masked: bool
) -> None:
    seed = RULES.index((normalisation, unvisited, termination, masked))
    model = random_table(STATES, ACTIONS, seed)
    root = torch.arange(TREES)
    legal = torch.ones(TREES, ACTIONS, dtype=torch.bool)
    if masked:
        g = Generator().manual_seed(1)
        legal = torch.rand(TREES, ACTIONS, generator=g) < 0.5
        legal[:, 2] = True
    plan = searched(
        model,
        root,
        legal,
        simulations=SIMULATIONS,
        q_normalisation=normalisation,
        unvisited_q=unvisited,
        use_predicted_termination=termination,
    )
    for b in range(TREES):
        moves = legal[b].nonzero().flatten().tolist()
        search = plain_search(
            model, termination, False, normalisation=normalisation, unvisited=unvisited
        )
        tree = search(b, SIMULATIONS, moves)
        assert plan.visits[b].tolist() == tree.visits(ACTIONS)
        assert float(plan.value[b]) == pytest.approx(tree.value, abs=1e-6)
        assert int(plan.depth[b]) == search.deepest
        for a, edge in tree.edges.items():
            assert float(plan.q[b, a]) == pytest.approx(edge.q, abs=1e-6)


def test_interior_legality_equals_a_reference_search_over_legal_actions() -> None:
    model = random_table(STATES, ACTIONS, seed=5, legality=True)
    root = torch.arange(TREES)
    plan = searched(model, root, model.legal[root], simulations=SIMULATIONS, interior_legality=True)
    free = searched(model, root, model.legal[root], simulations=SIMULATIONS)
    for b in range(TREES):
        tree = plain_search(model, False, True)(
            b, SIMULATIONS, model.legal[b].nonzero().flatten().tolist()
        )
        assert plan.visits[b].tolist() == tree.visits(ACTIONS)
    # Without it the moves below the root are all tried, as in the paper: another search.
    assert not torch.equal(free.visits, plan.visits)


def test_constants_c1_and_c2_are_used_as_in_the_paper() -> None:
    model = random_table(STATES, ACTIONS, seed=6)
    root = torch.arange(TREES)
    plan = searched(model, root, simulations=SIMULATIONS, c1=0.4, c2=7.0)
    for b in range(TREES):
        tree = plain_search(model, False, False, c1=0.4, c2=7.0)(
            b, SIMULATIONS, list(range(ACTIONS))
        )
        assert plan.visits[b].tolist() == tree.visits(ACTIONS)
    assert not torch.equal(plan.visits, searched(model, root, simulations=SIMULATIONS).visits)


def hand_tree() -> TableModel:
    """Two moves a state; the numbers that the tests below work through by hand.

    root 0 (value .1, prior .6 .4)
      a0 -> 1 (value  .5, prior .3 .7), reward 0, the other player is next
        a0 -> 3 (value 0), reward .1
        a1 -> 4 (value .4, prior .8 .2), reward 0
          a0 -> 6 (value .6), reward 0
      a1 -> 2 (value -.3, prior .9 .1), reward .2
        a0 -> 5, reward 1 and the end; its value 77 must never count
    """
    prior = torch.full((8, 2), 0.5, dtype=torch.float64)
    prior[0] = torch.tensor([0.6, 0.4])
    prior[1] = torch.tensor([0.3, 0.7])
    prior[2] = torch.tensor([0.9, 0.1])
    prior[4] = torch.tensor([0.8, 0.2])
    value = torch.tensor([0.1, 0.5, -0.3, 0.0, 0.4, 77.0, 0.6, 0.0], dtype=torch.float64)
    successor = torch.full((8, 2), 7)
    reward = torch.zeros(8, 2, dtype=torch.float64)
    discount = torch.full((8, 2), -1.0, dtype=torch.float64)
    successor[0] = torch.tensor([1, 2])
    successor[1] = torch.tensor([3, 4])
    successor[2, 0], successor[4, 0] = 5, 6
    reward[0, 1], reward[1, 0], reward[2, 0] = 0.2, 0.1, 1.0
    discount[2, 0] = 0.0
    return TableModel(successor, reward, discount, prior.log(), value)


@pytest.mark.parametrize(
    ("simulations", "visits", "q", "value", "depth"),
    [
        # With n = 1 the scores are the priors times 1.2501: .7501 and .5000, so a0;
        # back comes 0 - .5. Root: (.1 - .5) / 2.
        (1, [1, 0], [-0.5, None], -0.2, 1),
        # n = 2, sqrt(2) 1.25015 = 1.7680: a0 -.5 + .6 * 1.7680 / 2 = .0304, a1 .4 * 1.7680 = .7072,
        # so a1; back comes .2 + .3. Root: (.1 - .5 + .5) / 3.
        (2, [1, 1], [-0.5, 0.5], 0.1 / 3, 1),
        # n = 3, 2.1654: a0 .1496, a1 .5 + .4331 = .9331, so a1, and below it a0 by its prior: the
        # end with reward 1. Back comes .2 - 1 = -.8: q(a1) = (.5 - .8) / 2.
        (3, [1, 2], [-0.5, -0.15], -0.7 / 4, 2),
        # n = 4, 2.5005: a0 -.5 + .7502 = .2502, a1 -.15 + .3334 = .1834, so a0, below it a1 by its
        # prior: at 1 comes -.4, at the root .4: q(a0) = (-.5 + .4) / 2.
        (4, [2, 2], [-0.05, -0.15], -0.3 / 5, 2),
        # n = 5, 2.7957: a0 -.05 + .5591, a1 -.15 + .3728: a0. At 1 n = 2: a0 .3 * 1.7680 = .5304,
        # a1 -.4 + .7 * 1.7680 / 2 = .2188, so a0: .1 there, -.1 at the root.
        (5, [3, 2], [-0.2 / 3, -0.15], -0.4 / 6, 2),
    ],
)
def test_tree_without_normalisation_by_hand(
    simulations: int, visits: list[int], q: list[float | None], value: float, depth: int
) -> None:
    plan = searched(hand_tree(), torch.tensor([0]), simulations=simulations, q_normalisation="none")
    assert plan.visits[0].tolist() == visits
    assert float(plan.value[0]) == pytest.approx(value, abs=1e-6)
    assert int(plan.depth[0]) == depth
    for a, expected in enumerate(q):
        # An unvisited move is given the root's value.
        expected_value = value if expected is None else expected
        assert float(plan.q[0, a]) == pytest.approx(expected_value, abs=1e-6)


def test_tree_with_min_max_normalisation_by_hand() -> None:
    # Four simulations as above, for the order of the scores is the same. Then the tree has seen q
    # from -.5 to 1, span 1.5. Fifth: a0 (-.05 + .5) / 1.5 + .5591 = .8591, a1 .2333 + .3728, so a0.
    # At 1: a0 0 + .5304, a1 (-.4 + .5) / 1.5 + .6188 = .6855, so now a1; at 4 a0 by its prior:
    # -.6 there, .6 at 1, -.6 at the root. q(a0) = (-.5 + .4 - .6) / 3, root -.9 / 6.
    plan = searched(hand_tree(), torch.tensor([0]), simulations=5)
    assert plan.visits[0].tolist() == [3, 2]
    assert plan.q[0].tolist() == pytest.approx([-0.7 / 3, -0.15], abs=1e-6)
    assert float(plan.value[0]) == pytest.approx(-0.15, abs=1e-6)
    assert int(plan.depth[0]) == 3


def test_unvisited_action_has_the_parent_value_if_configured() -> None:
    # Two moves with priors .9 and .1; a0 has value .3, as the root. With 0 for unvisited moves,
    # n = 2: a0 .3 + .9 * 1.7680 / 2 = 1.0956 against a1 .1768: a0. With the parent's value at
    # c1 = .1: n = 2, factor .1416: a0 .3 + .0637 = .3637, a1 1.0 + .0142: a1.
    model = hand_tree()
    model.logits[0] = torch.tensor([0.9, 0.1]).log()
    model.value[0], model.value[1] = 1.7, -0.3
    rules: dict[str, Any] = {"simulations": 2, "q_normalisation": "none", "c1": 0.1}
    zero = searched(model, torch.tensor([0]), unvisited_q="zero", **rules)
    parent = searched(model, torch.tensor([0]), unvisited_q="parent", **rules)
    assert zero.visits[0].tolist() == [2, 0]
    assert parent.visits[0].tolist() == [1, 1]


def test_search_stops_at_known_terminal_states() -> None:
    # a0 ends with reward .25 and has nearly all the prior; the state behind it claims 77.
    model = hand_tree()
    model.logits[0] = torch.tensor([0.99, 0.01]).log()
    model.successor[0, 0], model.reward[0, 0], model.discount[0, 0] = 5, 0.25, 0.0
    plan = searched(model, torch.tensor([0]), simulations=30, q_normalisation="none")
    assert 5 not in {int(latent) for latent, _ in model.step_calls}
    assert plan.visits[0, 0] > 10
    assert float(plan.q[0, 0]) == pytest.approx(0.25)
    assert plan.visits.sum() == 30


def test_predicted_termination_cuts_the_backup_only_if_configured() -> None:
    model = hand_tree()
    model.termination = torch.zeros(8, 2, dtype=torch.float64)
    model.termination[0, 0] = 1.0
    rules: dict[str, Any] = {"simulations": 1, "q_normalisation": "none"}
    cut = searched(model, torch.tensor([0]), use_predicted_termination=True, **rules)
    kept = searched(model, torch.tensor([0]), use_predicted_termination=False, **rules)
    assert float(cut.q[0, 0]) == 0.0
    assert float(kept.q[0, 0]) == -0.5


def test_single_agent_backup_does_not_change_signs() -> None:
    # a0: reward 1, discount .5, value 4: q = 1 + .5 * 4 = 3.
    model = hand_tree()
    model.reward[0, 0], model.discount[0, 0], model.value[1] = 1.0, 0.5, 4.0
    plan = searched(model, torch.tensor([0]), simulations=1, q_normalisation="none")
    assert float(plan.q[0, 0]) == pytest.approx(3.0)


@pytest.mark.parametrize("normalisation", ["min_max", "bounds", "none"])
def test_batched_search_equals_searching_each_root_alone(normalisation: str) -> None:
    model = random_table(STATES, ACTIONS, seed=9)
    root = torch.arange(16)
    rules: dict[str, Any] = {"simulations": 30, "q_normalisation": normalisation}
    together = searched(model, root, **rules)
    for b in range(16):
        alone = searched(model, root[b : b + 1], **rules)
        for name in ("policy", "value", "q", "visits", "depth"):
            assert torch.equal(getattr(together, name)[b], getattr(alone, name)[0]), name


def test_searches_are_independent_of_earlier_ones() -> None:
    model = random_table(STATES, ACTIONS, seed=10)
    first = searched(model, torch.arange(8), simulations=20)
    searched(model, torch.arange(8, 16), simulations=20)
    again = searched(model, torch.arange(8), simulations=20)
    assert torch.equal(first.visits, again.visits)
    assert torch.equal(first.value, again.value)


def test_policy_is_the_visit_distribution_over_legal_actions() -> None:
    model = random_table(STATES, ACTIONS, seed=11)
    legal = torch.tensor([[True, False, True, False, True]]).expand(8, -1)
    plan = searched(model, torch.arange(8), legal, simulations=25)
    assert torch.equal(plan.visits.sum(1), torch.full((8,), 25, dtype=plan.visits.dtype))
    assert torch.allclose(plan.policy, plan.visits / 25)
    assert not plan.visits[~legal].any()


def test_root_noise_covers_legal_actions_and_only_during_exploration() -> None:
    model = random_table(STATES, ACTIONS, seed=12)
    legal = torch.tensor([[True, False, True, True, True]]).expand(32, -1)
    root = torch.arange(32)
    made = planner(simulations=20, dirichlet_alpha=0.5, noise_fraction=1.0)
    calm = [made.plan(model, root, legal, Generator().manual_seed(s)) for s in (1, 2)]
    noisy = [made.plan(model, root, legal, Generator().manual_seed(s), True) for s in (1, 2, 1)]
    assert torch.equal(calm[0].visits, calm[1].visits)
    assert not torch.equal(noisy[0].visits, noisy[1].visits)
    assert not torch.equal(noisy[0].visits, calm[0].visits)
    assert torch.equal(noisy[0].visits, noisy[2].visits)
    assert not noisy[0].visits[~legal].any()


def test_root_noise_mixes_prior_and_dirichlet_as_configured() -> None:
    # With one simulation the visited move is the greatest of .5 P + .5 Dir(a). For two legal moves
    # of prior .9 and .1 the second wins if its share of the noise exceeds .9: for Dir(1, 1) with
    # probability .1, and never where P alone (fraction 0) decides. The two illegal moves, which the
    # prior favours, have no share in either.
    model = random_table(1, 4, seed=0)
    model.logits[0] = torch.tensor([0.9, 50.0, 0.1, 50.0]).log()
    root = torch.zeros(20_000, dtype=torch.int64)
    legal = torch.tensor([[True, False, True, False]]).expand(20_000, -1)
    made = planner(simulations=1, dirichlet_alpha=1.0, noise_fraction=0.5)
    plan = made.plan(model, root, legal, Generator().manual_seed(0), True)
    # Five standard errors of a share of .1 in 20,000 draws are .0106.
    assert float(plan.policy[:, 2].mean()) == pytest.approx(0.1, abs=0.0106)
    still = planner(simulations=1, noise_fraction=0.0)
    plan = still.plan(model, root[:100], legal[:100], Generator().manual_seed(0), True)
    assert float(plan.policy[:, 2].max()) == 0.0


def test_ties_of_the_policy_are_broken_by_q_and_then_by_index() -> None:
    policy = torch.tensor([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    q = torch.tensor([[0.0, 0.5, 0.9], [0.5, 0.5, 0.9], [0.9, 0.9, 0.0]])
    plan = Plan(policy, q[:, 0], q, policy, policy)
    assert plan.best_action().tolist() == [1, 0, 2]


@pytest.mark.parametrize("where", ["value", "reward"])
def test_non_finite_predictions_below_the_root_are_reported_and_never_played(
    where: str,
) -> None:
    model = random_table(STATES, ACTIONS, seed=13)
    answers = getattr(model, where)
    answers[8:] = float("nan")
    model.reward[:8] = float("nan") if where == "reward" else model.reward[:8]
    model.successor[:] = model.successor.clamp(min=8)
    legal = torch.tensor([[False, False, True, True, True]]).expand(8, -1)
    with pytest.raises(TrialDiverged):
        searched(model, torch.arange(8), legal, simulations=20)
