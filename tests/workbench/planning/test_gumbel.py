"""Gumbel search against the paper's formulas, against mctx, and against what the paper promises."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from tests.seams.test_chance import MOVES, ROUNDS, DiceGame
from tests.seams.test_chance import STATES as PAIRS
from tests.workbench.fakes import TableModel, problems_of, random_table, trial
from tests.workbench.planning.recursive_gumbel import Search
from workbench.errors import TrialDiverged
from workbench.planning.gumbel import Gumbel
from workbench.planning.tree.sequential_halving import considered_visits
from workbench.randomness import Streams, numpy_generator
from workbench.training.actor import Actor
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.trial import build
from workbench.types import EnvironmentSpec, Plan

STATES, ACTIONS, TREES, SIMULATIONS = 40, 5, 24, 40
BOUNDS = (-2.0, 3.0)


def planner(**options: Any) -> Any:
    return Gumbel(**options).build(EnvironmentSpec("table", (1,), ACTIONS, bounds=BOUNDS))


def every(batch: int, actions: int = ACTIONS) -> Tensor:
    return torch.ones(batch, actions, dtype=torch.bool)


def searched(model: TableModel, root: Tensor, legal: Tensor | None = None, **options: Any) -> Plan:
    legal = every(len(root)) if legal is None else legal
    plan: Plan = planner(**options).plan(model, root, legal, Generator())
    return plan


# --- the schedule --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entrants", "simulations", "expected"),
    [
        # Two phases: 4 moves of floor(16 / (2 * 4)) = 2 visits, 2 of floor(16 / (2 * 2)) = 4.
        (4, 16, [0] * 4 + [1] * 4 + [2, 2, 3, 3, 4, 4, 5, 5]),
        (4, 4, [0] * 4),
        # Four phases of 50: 16 moves of 1 (floor .78), 8 of 1 (1.56), 4 of 3 (3.1), 2 of 6 (6.25),
        # which is 48; the last two share what is left.
        (16, 50, [0] * 16 + [1] * 8 + [2] * 4 + [3] * 4 + [4] * 4
         + [5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11]),
        # Fewer simulations than entrants: as many of them once.
        (16, 2, [0, 0]),
        (1, 5, [0, 1, 2, 3, 4]),
        # ceil(log2 5) = 3 phases: 5 moves of 1, 2 of floor(20 / 6) = 3, and again and again.
        (5, 20, [0] * 5 + [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]),
    ],
)  # fmt: skip
def test_halving_schedules_by_hand(entrants: int, simulations: int, expected: list[int]) -> None:
    assert considered_visits(entrants, simulations) == expected


def test_root_visits_follow_the_schedule() -> None:
    model = random_table(STATES, 16, seed=1)
    plan = Gumbel(simulations=50).build(EnvironmentSpec("table", (1,), 16))
    made = plan.plan(model, torch.arange(8), every(8, 16), Generator(), True)
    for visits in made.visits.tolist():
        # 16 enter; 8 leave with 1 visit, 4 with 2, 2 with 5, and the last two have 5 + 6 + 1.
        assert sorted(visits) == [1] * 8 + [2] * 4 + [5] * 2 + [12] * 2


# --- the search ----------------------------------------------------------------------------------

RULES = list(
    itertools.product(
        ("min_max", "bounds", "none"), (1, 3, 16), (False, True), (False, True), (False, True)
    )
)


@pytest.mark.parametrize(("normalisation", "considered", "termination", "masked", "noisy"), RULES)
def test_search_equals_a_recursive_reference(
    normalisation: str, considered: int, termination: bool, masked: bool, noisy: bool
) -> None:
    seed = RULES.index((normalisation, considered, termination, masked, noisy))
    model = random_table(STATES, ACTIONS, seed, legality=True)
    root = torch.arange(TREES)
    legal = model.legal[root] if masked else every(TREES)
    scale = 0.1 if normalisation == "min_max" else 0.7
    made = planner(
        simulations=SIMULATIONS,
        max_considered=considered,
        c_visit=20.0,
        c_scale=scale,
        q_normalisation=normalisation,
        use_predicted_termination=termination,
        interior_legality=masked,
    )
    plan = made.plan(model, root, legal, Generator().manual_seed(seed), noisy)
    noise = numpy_generator(Generator().manual_seed(seed)).gumbel(size=(TREES, ACTIONS))
    for b in range(TREES):
        search = plain_search(model, termination, masked)
        search = replace(search, c_visit=20.0, c_scale=scale, normalisation=normalisation)
        search = replace(search, considered=considered, noise=list(noise[b]) if noisy else [])
        tree = search(b, SIMULATIONS, legal[b].nonzero().flatten().tolist())
        assert plan.visits[b].tolist() == [tree.count(a) for a in range(ACTIONS)]
        assert int(plan.depth[b]) == search.deepest
        assert plan.action is not None
        assert int(plan.action[b]) == search.chosen(tree)
        assert float(plan.value[b]) == pytest.approx(tree.mean.value, abs=1e-6)
        improved, completed = search.improved(tree), search.completed(tree)
        for a in range(ACTIONS):
            assert float(plan.policy[b, a]) == pytest.approx(improved.get(a, 0.0), abs=1e-6)
            if a in completed:
                assert float(plan.q[b, a]) == pytest.approx(completed[a], abs=1e-6)


def plain_search(model: TableModel, termination: bool, legality: bool) -> Search:
    def evaluate(state: Any) -> tuple[dict[int, float], float]:
        assert model.legal is not None
        every_move = range(model.logits.shape[1])
        moves = [a for a in every_move if not legality or model.legal[state, a]]
        return {a: float(model.logits[state, a]) for a in moves}, float(model.value[state])

    def follow(state: Any, move: int) -> tuple[Any, float, float]:
        discount = float(model.discount[state, move])
        if termination and model.termination is not None:
            discount *= 1 - float(model.termination[state, move])
        return int(model.successor[state, move]), float(model.reward[state, move]), discount

    return Search(evaluate, follow, bounds=BOUNDS)


def test_single_agent_search_equals_a_recursive_reference() -> None:
    model = random_table(STATES, ACTIONS, seed=77, legality=True)
    model.discount = model.discount.abs()
    plan = searched(model, torch.arange(TREES), simulations=SIMULATIONS)
    for b in range(TREES):
        tree = plain_search(model, False, False)(b, SIMULATIONS, list(range(ACTIONS)))
        assert plan.visits[b].tolist() == [tree.count(a) for a in range(ACTIONS)]


@pytest.mark.parametrize("prior_scale", [0.0, 1.0, 4.0, 16.0])
def test_unvisited_actions_contribute_to_the_improved_policy(prior_scale: float) -> None:
    # Moves stand by their priors, and of those without visits the first is looked at for all. Equal
    # priors (0), and such of which some are e^-80 of others and yet weigh where q tells them apart.
    actions = 13
    model = random_table(STATES, actions, seed=5, legality=True)
    model.logits = (model.logits * 4).round() / 4 * prior_scale  # many of them alike
    made = Gumbel(simulations=60, interior_legality=True, c_scale=0.5)
    made = made.build(EnvironmentSpec("table", (1,), actions, bounds=BOUNDS))
    assert model.legal is not None
    root = torch.arange(STATES)
    legal = model.legal[root]
    plan = made.plan(model, root, legal, Generator())
    for b in range(STATES):
        search = replace(plain_search(model, False, True), c_scale=0.5)
        tree = search(b, 60, legal[b].nonzero().flatten().tolist())
        assert plan.visits[b].tolist() == [tree.count(a) for a in range(actions)]
        assert int(plan.depth[b]) == search.deepest
        assert float(plan.value[b]) == pytest.approx(tree.mean.value, abs=1e-6)


def sines() -> TableModel:
    """A table that any language can make again, known ends in it."""
    s, a = torch.arange(11)[:, None], torch.arange(4)[None]
    return TableModel(
        successor=(3 * s + 5 * a + 1) % 11,
        reward=torch.sin((1 + 2 * s + 3 * a).double()),
        discount=torch.where((s + a) % 7 == 0, 0.0, -0.9).double(),
        logits=2 * torch.cos((s + 2 * a).double()),
        value=torch.sin(5 * s[:, 0].double()),
    )


@pytest.mark.parametrize(
    ("options", "illegal", "visits", "action", "policy", "value"),
    [
        (
            {"simulations": 16, "max_considered": 4},
            [],
            [[6, 2, 6, 2], [6, 2, 6, 2], [2, 6, 2, 6]],
            [0, 2, 1],
            [[0.99081, 0.00262, 0.00319, 0.00338], [0.00612, 0.00037, 0.98419, 0.00932],
             [0.01575, 0.84054, 0.07839, 0.06533]],
            [0.16071, -0.30997, 0.66923],
        ),
        (
            {"simulations": 25, "max_considered": 3},
            [],
            [[11, 4, 0, 10], [10, 0, 11, 4], [4, 0, 10, 11]],
            [0, 2, 3],
            [[0.99486, 0.00116, 0.00193, 0.00206], [0.01842, 0.00091, 0.97507, 0.0056],
             [0.00216, 0.0015, 0.01999, 0.97635]],
            [-0.20428, -0.4214, -0.34468],
        ),
        (
            {"simulations": 30, "q_normalisation": "none", "c_scale": 0.02},
            [(0, 3), (1, 1), (2, 0), (2, 2)],
            [[13, 5, 12, 0], [13, 0, 12, 5], [0, 15, 0, 15]],
            [0, 0, 1],
            [[0.97741, 0.00572, 0.01687, 0.0], [0.5232, 0.0, 0.29084, 0.18595],
             [0.0, 0.53018, 0.0, 0.46982]],
            [0.28779, -0.3395, 0.89841],
        ),
    ],
)  # fmt: skip
def test_search_equals_mctx(
    options: dict[str, Any],
    illegal: list[tuple[int, int]],
    visits: list[list[int]],
    action: list[int],
    policy: list[list[float]],
    value: list[float],
) -> None:
    # Figures of mctx 0.0.71 (jax 0.10.2 in double precision): gumbel_muzero_policy with
    # gumbel_scale 0 on this table from states 0, 1, 2; value_scale and rescale_values for
    # c_scale and q_normalisation.
    legal = every(3, 4)
    for b, a in illegal:
        legal[b, a] = False
    made = Gumbel(**options).build(EnvironmentSpec("table", (1,), 4))
    plan = made.plan(sines(), torch.arange(3), legal, Generator())
    assert plan.visits.tolist() == visits
    assert plan.best_action().tolist() == action
    assert torch.allclose(plan.policy, torch.tensor(policy), atol=1e-5, rtol=0)
    assert torch.allclose(plan.value, torch.tensor(value), atol=1e-5, rtol=0)


def test_improved_policy_equals_the_formula_of_q_and_visits() -> None:
    model = random_table(STATES, ACTIONS, seed=3)
    plan = searched(model, torch.arange(TREES), simulations=30, q_normalisation="none", c_scale=0.2)
    sigma = (50 + plan.visits.max(1, keepdim=True).values.numpy()) * 0.2 * plan.q.double().numpy()
    weight = np.exp(model.logits[:TREES].numpy() + sigma)
    expected = weight / weight.sum(1, keepdims=True)
    assert np.abs(plan.policy.numpy() - expected).max() < 1e-5


def test_policy_can_be_the_visit_distribution() -> None:
    model = random_table(STATES, ACTIONS, seed=3)
    root = torch.arange(TREES)
    improved = searched(model, root, simulations=30)
    shares = searched(model, root, simulations=30, policy="visits")
    assert torch.allclose(shares.policy, shares.visits / 30)
    assert torch.equal(shares.visits, improved.visits)
    assert not torch.allclose(shares.policy, improved.policy, atol=0.01)
    assert torch.equal(shares.best_action(), improved.best_action())


def test_action_with_a_tiny_prior_is_still_weighted_by_its_q() -> None:
    # The second move's probability is e^-300, 0 in single precision; but q is 1 against 0, and
    # sigma(1) = (50 + 1) * 10 = 510 outweighs 300.
    model = bandits(torch.tensor([[0.0, -300.0]]), torch.tensor([[0.0, 1.0]]))
    model.logits, model.value = model.logits.float(), model.value.float()
    made = Gumbel(simulations=2, q_normalisation="none", c_scale=10.0)
    plan = made.build(EnvironmentSpec("bandit", (1,), 2)).plan(
        model, torch.tensor([0]), every(1, 2), Generator()
    )
    assert plan.visits.tolist() == [[1, 1]]
    assert plan.best_action().tolist() == [1]
    assert float(plan.policy[0, 1]) == pytest.approx(1.0)


def test_values_far_from_zero_keep_their_precision() -> None:
    # Single numbers around 2^14 are a thousandth apart, those of the gaps between them are not.
    model, root, far = random_table(STATES, ACTIONS, seed=21), torch.arange(TREES), 2.0**14
    model.discount = torch.ones_like(model.discount)
    model.reward, model.value = (
        (model.reward * 256).round() / 256,
        (model.value * 256).round() / 256,
    )
    near = searched(model, root, simulations=SIMULATIONS)
    model.value = model.value + far
    beyond = searched(model, root, simulations=SIMULATIONS)
    assert torch.equal(beyond.visits, near.visits)
    assert torch.allclose(beyond.policy, near.policy, rtol=0, atol=2e-6)
    assert torch.allclose(beyond.value, near.value + far)


def test_batched_search_equals_searching_each_root_alone() -> None:
    model = random_table(STATES, ACTIONS, seed=9)
    root = torch.arange(16)
    together = searched(model, root, simulations=30)
    for b in range(16):
        alone = searched(model, root[b : b + 1], simulations=30)
        for name in ("policy", "value", "q", "visits", "depth", "action"):
            assert torch.equal(getattr(together, name)[b], getattr(alone, name)[0]), name


@pytest.mark.parametrize("where", ["value", "reward"])
def test_non_finite_predictions_are_reported_and_never_played(where: str) -> None:
    model = random_table(STATES, ACTIONS, seed=13)
    getattr(model, where)[8:] = float("nan")
    model.successor = model.successor.clamp(min=8)
    if where == "reward":
        model.reward[:8] = float("nan")
    with pytest.raises(TrialDiverged):
        searched(model, torch.arange(8), simulations=20)


def test_chance_outcomes_are_visited_in_proportion_to_their_probability() -> None:
    # The first outcome, of odds .5, pays 1; of the two moves only the second leads to it.
    pay = torch.zeros(1, ROUNDS, PAIRS)
    pay[0, 0, 3] = 1.0
    built, model = (
        Gumbel(simulations=2000).build(EnvironmentSpec("dice", (1,), MOVES)),
        DiceGame(pay),
    )
    root = model.represent(torch.zeros(1, 1), Generator())
    plan = built.plan(model, root, every(1, MOVES), Generator())
    assert plan.q[0].tolist() == pytest.approx([0.0, 0.5], abs=0.001)
    assert plan.best_action().tolist() == [1]


# --- noise, and what it is for -------------------------------------------------------------------


def bandits(logits: Tensor, q: Tensor) -> TableModel:
    """States 0..R-1 whose moves end at once with reward q; their values are those of the prior."""
    rows, actions = q.shape
    value = (logits.softmax(1) * q).sum(1).double()
    nowhere = torch.zeros(rows, actions, dtype=torch.int64)
    nothing = torch.zeros(rows, actions, dtype=torch.float64)
    return TableModel(nowhere, q.double(), nothing, logits.double(), value)


def test_root_noise_is_fresh_per_search_and_absent_without_exploration() -> None:
    model = random_table(STATES, ACTIONS, seed=12)
    made, root, generator = planner(simulations=3), torch.arange(32), Generator().manual_seed(1)
    noisy = [made.plan(model, root, every(32), generator, True) for _ in range(2)]
    assert not torch.equal(noisy[0].visits, noisy[1].visits)
    before = generator.get_state()
    calm = [made.plan(model, root, every(32), generator) for _ in range(2)]
    assert torch.equal(calm[0].visits, calm[1].visits)
    assert torch.equal(calm[0].best_action(), calm[1].best_action())
    assert torch.equal(generator.get_state(), before)


def test_gumbel_noise_samples_actions_without_replacement_from_the_prior() -> None:
    # The Gumbel trick: the two best of g + logits are drawn one after the other from the prior.
    # Of .5 .3 .2 and an illegal move, the pair left out is: the first stays behind with probability
    # .3 * .2 / .7 + .2 * .3 / .8 = .1607, the second .5 * .2 / .5 + .2 * .5 / .8 = .325.
    prior = torch.tensor([[0.5, 0.3, 0.2, 9.0]])
    model = bandits(prior.log(), torch.zeros(1, 4))
    model.value[0] = 0.0
    count = 20_000
    legal = torch.tensor([[True, True, True, False]]).expand(count, -1)
    made = Gumbel(simulations=2, max_considered=2).build(EnvironmentSpec("bandit", (1,), 4))
    root = torch.zeros(count, dtype=torch.int64)
    plan = made.plan(model, root, legal, Generator().manual_seed(0), True)
    out = (plan.visits == 0).float().mean(0).tolist()
    for share, expected in zip(out, (0.5143 - 0.3536, 0.325, 0.5143, 1.0), strict=True):
        assert share == pytest.approx(expected, abs=5 * math.sqrt(0.25 / count))


def test_selected_action_on_a_bandit_is_at_least_as_good_as_the_prior() -> None:
    # The promise of the paper, section 3: with exact q, E[q(chosen)] >= sum_a pi(a) q(a), whatever
    # the prior. Each bandit is played 1,000 times; on average none may fall behind.
    g = Generator().manual_seed(4)
    arms, plays = 20, 1000
    logits, q = 2 * torch.randn(arms, 6, generator=g), torch.randn(arms, 6, generator=g)
    model = bandits(logits, q)
    for considered, simulations in ((2, 2), (4, 4), (4, 12)):
        made = Gumbel(simulations=simulations, max_considered=considered)
        built = made.build(EnvironmentSpec("bandit", (1,), 6))
        root = torch.arange(arms).repeat_interleave(plays)
        plan = built.plan(model, root, every(len(root), 6), Generator().manual_seed(5), True)
        values = q[root, plan.best_action()].view(arms, plays)
        gain = values.mean(1) - (logits.softmax(1) * q).sum(1)
        error = values.std(1) / math.sqrt(plays)
        assert bool((gain > -4 * error).all()), (considered, simulations)
        assert float(gain.mean()) > 0.3, (considered, simulations)


def test_action_without_noise_is_the_best_of_the_most_visited() -> None:
    q = torch.tensor([[0.1, 0.9, 0.8, -0.5]])
    model = bandits(torch.zeros(1, 4), q)
    made = Gumbel(simulations=12).build(EnvironmentSpec("bandit", (1,), 4))
    plan = made.plan(model, torch.tensor([0]), every(1, 4), Generator())
    # floor(12 / 8) = 1 visit each, then floor(12 / 4) = 3 for moves 1 and 2, and the last two.
    assert plan.visits.tolist() == [[1, 5, 5, 1]]
    assert plan.best_action().tolist() == [1]


def test_self_play_takes_the_selected_action_at_any_temperature() -> None:
    parts = build(trial({"planner": {"name": "gumbel", "simulations": 4}}))
    parts = replace(parts, planner=Remembering(parts.planner, []), streams=Streams(0))
    actor = Actor(
        parts, 64, RandomStartConfig(fraction=0.0), TemperatureConfig(sampled_actions=30, value=5.0)
    )
    for _ in range(5):
        actor.step(parts.model)
        plan = parts.planner.plans[-1]  # type: ignore[attr-defined]
        assert torch.equal(actor.state_dict()["action"], plan.action)
    # It is not always the best of the improved policy: there is noise in it.
    assert not torch.equal(plan.action, plan.policy.argmax(1))


@dataclass(frozen=True)
class Remembering:
    inner: Any
    plans: list[Plan]
    differentiable: bool = False

    def plan(self, *args: Any, **options: Any) -> Plan:
        self.plans.append(self.inner.plan(*args, **options))
        return self.plans[-1]


def test_requirements_of_the_search_are_checked_when_the_file_is_read() -> None:
    text = "preset: muzero\nplanner: {name: gumbel, interior_legality: true}\n"
    assert problems_of(text) == [
        "t.yaml:2: planner: interior_legality: model 'composed' as configured predicts no legal "
        "moves"
    ]
