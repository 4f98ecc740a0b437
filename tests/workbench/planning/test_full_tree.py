"""The full tree against a recursion in plain Python, and against one worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import TableModel, problems_of, random_table
from workbench.errors import TrialDiverged
from workbench.planning.depth_d import DepthD
from workbench.planning.one_step import OneStep
from workbench.types import EnvironmentSpec, Plan

STATES, ACTIONS, ROOTS = 30, 3, 12
ENVIRONMENT = EnvironmentSpec("table", (1,), ACTIONS)


def planned(config: Any, model: TableModel, root: Tensor, legal: Tensor | None = None) -> Plan:
    if legal is None:
        legal = torch.ones(len(root), model.spec.actions, dtype=torch.bool)
    plan: Plan = config.build(ENVIRONMENT).plan(model, root, legal, Generator())
    return plan


def best_line(
    model: TableModel, state: int, depth: int, termination: bool, legality: bool
) -> list[float]:
    """q of every move at a state, by recursion."""
    q = []
    for move in range(ACTIONS):
        then, discount = int(model.successor[state, move]), float(model.discount[state, move])
        if termination and model.termination is not None:
            discount *= 1 - float(model.termination[state, move])
        values = float(model.value[then])
        if depth > 1:
            after = best_line(model, then, depth - 1, termination, legality)
            allowed = [
                x
                for a, x in enumerate(after)
                if not legality or (model.legal is not None and model.legal[then, a])
            ]
            values = max(allowed) if allowed else values
        q.append(float(model.reward[state, move]) + discount * values)
    return q


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("termination", [False, True])
@pytest.mark.parametrize("legality", [False, True])
def test_q_and_value_equal_a_recursive_computation(
    depth: int, termination: bool, legality: bool
) -> None:
    model = random_table(STATES, ACTIONS, depth, legality=True)
    assert model.legal is not None
    model.legal[20:23] = False  # states where nothing is held to be legal
    legal = torch.tensor([[True, False, True], [True, True, True]]).repeat(ROOTS // 2, 1)
    config = DepthD(depth=depth, use_predicted_termination=termination, interior_legality=legality)
    plan = planned(config, model, torch.arange(ROOTS), legal)
    for b in range(ROOTS):
        expected = best_line(model, b, depth, termination, legality)
        allowed = [a for a in range(ACTIONS) if legal[b, a]]
        assert float(plan.value[b]) == pytest.approx(max(expected[a] for a in allowed), abs=1e-9)
        for a in allowed:
            assert float(plan.q[b, a]) == pytest.approx(expected[a], abs=1e-9)
    assert plan.depth.tolist() == [depth] * ROOTS
    assert torch.equal(plan.visits, legal * ACTIONS ** (depth - 1))


def test_each_tree_level_is_one_model_call() -> None:
    model = random_table(STATES, ACTIONS, 1)
    planned(DepthD(depth=3), model, torch.arange(ROOTS))
    assert [len(action) for _, action in model.step_calls] == [ROOTS * 3, ROOTS * 9, ROOTS * 27]


def hand() -> TableModel:
    """State 0: a0 pays .2, the other player is next at a state of value .5; a1 pays -.1, the same
    player goes on, discounted by half, at a state of value .8; a2 ends with .1, behind it is 77."""
    successor = torch.tensor([[1, 2, 3]]).expand(4, -1)
    reward = torch.tensor([[0.2, -0.1, 0.1]], dtype=torch.float64).expand(4, -1)
    discount = torch.tensor([[-1.0, 0.5, 0.0]], dtype=torch.float64).expand(4, -1)
    logits = torch.tensor([[1.0, 0.0, 2.0]], dtype=torch.float64).expand(4, -1)
    value = torch.tensor([0.0, 0.5, 0.8, 77.0], dtype=torch.float64)
    return TableModel(successor, reward, discount, logits, value)


HAND_Q = [0.2 - 0.5, -0.1 + 0.5 * 0.8, 0.1]  # -.3, .3, .1


@pytest.mark.parametrize(
    ("policy", "temperature", "exponents"),
    [
        ("softmax", 0.5, [-0.6, 0.6, 0.2]),
        ("regularised", 0.5, [1 - 0.6, 0.6, 2 + 0.2]),
        ("regularised", 0.1, [1 - 3, 3, 2 + 1]),
        ("greedy", 0.5, [-math.inf, 0.0, -math.inf]),
    ],
)
def test_one_step_by_hand(policy: Any, temperature: float, exponents: list[float]) -> None:
    config = OneStep(policy=policy, temperature=temperature)
    plan = planned(config, hand(), torch.tensor([0]))
    assert plan.q[0].tolist() == pytest.approx(HAND_Q)
    assert float(plan.value[0]) == pytest.approx(0.3)
    weights = [math.exp(x) for x in exponents]
    assert plan.policy[0].tolist() == pytest.approx([w / sum(weights) for w in weights])


@pytest.mark.parametrize("policy", ["regularised", "softmax", "greedy"])
def test_illegal_actions_are_masked_whatever_their_value(policy: Any) -> None:
    legal = torch.tensor([[True, False, True]])
    plan = planned(OneStep(policy=policy), hand(), torch.tensor([0]), legal)
    assert plan.best_action().tolist() == [2]
    assert float(plan.policy[0, 1]) == 0.0
    assert float(plan.value[0]) == pytest.approx(0.1)
    assert plan.visits.tolist() == [[1, 0, 1]]


def test_regularised_policy_maximises_expected_q_minus_divergence_from_the_prior() -> None:
    # No policy drawn at random scores more of E[q] - T KL(policy, prior) than the planner's.
    model = random_table(STATES, ACTIONS, 4)
    plan = planned(OneStep(temperature=0.3), model, torch.arange(ROOTS))
    prior = model.logits[:ROOTS].log_softmax(1)

    def score(policy: Tensor) -> Tensor:
        return (policy * (plan.q - 0.3 * (policy.log() - prior))).sum(-1)

    others = torch.distributions.Dirichlet(torch.ones(ROOTS, ACTIONS).double()).sample((2000,))
    near = 0.99 * plan.policy + 0.01 * others
    assert bool((score(plan.policy) >= score(others)).all())
    assert bool((score(plan.policy) >= score(near)).all())


def test_batched_planning_equals_planning_each_root_alone() -> None:
    model = random_table(STATES, ACTIONS, 6)
    together = planned(DepthD(depth=3), model, torch.arange(ROOTS))
    for b in range(ROOTS):
        alone = planned(DepthD(depth=3), model, torch.tensor([b]))
        for name in ("policy", "value", "q", "visits", "depth"):
            assert torch.equal(getattr(together, name)[b], getattr(alone, name)[0]), name


@pytest.mark.parametrize("differentiable", [False, True])
def test_plan_keeps_its_gradient_if_configured(differentiable: bool) -> None:
    # The value of the hand-worked root is -.1 + .5 * v(2): its slopes are 1 and .5.
    model = hand()
    model.value.requires_grad_()
    model.reward = model.reward.clone().requires_grad_()
    config = DepthD(depth=1, differentiable=differentiable)
    plan = planned(config, model, torch.tensor([0]))
    assert config.build(ENVIRONMENT).differentiable == differentiable
    for part in (plan.value, plan.q, plan.policy):
        assert part.requires_grad == differentiable
    if differentiable:
        plan.value.sum().backward()  # type: ignore[no-untyped-call]
        assert model.value.grad is not None
        assert model.reward.grad is not None
        assert model.value.grad.tolist() == [0.0, 0.0, 0.5, 0.0]
        assert model.reward.grad[0].tolist() == [0.0, 1.0, 0.0]
        with torch.no_grad():
            assert not planned(config, model, torch.tensor([0])).policy.requires_grad


def test_non_finite_predictions_are_reported() -> None:
    model = hand()
    model.value[2] = math.nan
    with pytest.raises(TrialDiverged):
        planned(OneStep(), model, torch.tensor([0]))


def test_too_large_tree_is_rejected_when_the_file_is_read() -> None:
    messages = problems_of("preset: muzero\nplanner: {name: depth_d, depth: 4}\n")
    assert messages == [
        "t.yaml:2: planner: planner 'depth_d' at depth 4: environment 'tic_tac_toe' has 9 "
        "actions, so that every root has 6,561 leaves; choose a smaller `depth`, or raise "
        "`max_leaves`"
    ]
    raised = "preset: muzero\nplanner: {name: depth_d, depth: 4, max_leaves: 6561}\n"
    assert problems_of(raised) == []
