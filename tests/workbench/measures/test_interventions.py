"""Interventions on agents with known regret, against brute force."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from tests.workbench.fakes import trial
from workbench.components import MeasureConfig
from workbench.contracts import TrialParts
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.measures.exact.best_reply import BestReply
from workbench.measures.exact.solved_positions import SolvedPositions, solved_positions_of
from workbench.measures.interventions.regret_by_part import all_subsets, shapley
from workbench.measures.interventions.substituted_model import (
    OracleSubstitutedModel,
    Substitution,
    with_true_dynamics,
)
from workbench.measures.play.decision_rules import planner_with, search_action
from workbench.metrics import METRICS, parse
from workbench.models.world_model import WorldModel
from workbench.registry import components
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec

DECISIONS = (
    "decision",
    "search_budget",
    "transplant",
    "flips",
    "decision_weighted_error",
    "exploitability",
)


class Player(WorldModel):
    """Follows the true states. Its value is off by so much, and its prior the optimal moves."""

    def __init__(
        self, environment: GameTableEnvironment, off: float = 0.0, sharp: float = 20.0
    ) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", ()), 9, frozenset({"legal"}), needs_state=True)
        self.environment, self.off, self.sharp = environment, off, sharp

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        result: Tensor = state
        return result

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        then, real = self.environment.step(latent, action, generator)
        return then, Edge(real.reward, real.discount, real.terminated.float())

    def predict(self, latent: Tensor) -> Heads:
        q = self.environment.q(latent)
        best = q.max(-1).values
        value = (best + self.off).where(best.isfinite(), torch.zeros(()))
        logits = self.sharp * (q == best[:, None])
        return Heads(logits, value, legal=self.environment.legal(latent))


@pytest.fixture(scope="module")
def parts(tic_tac_toe: GameTableEnvironment) -> TrialParts:
    """Parts of a trial whose planner masks interior actions by the model."""
    changes = {"model.dynamics": "true", "planner.interior_legality": True}
    return build(trial(changes | {"losses.reward": None, "losses.termination": None}))


@pytest.fixture(scope="module")
def learned() -> TrialParts:
    return build(trial())


def measured(
    name: str, parts: TrialParts, agent: WorldModel, **options: Any
) -> dict[str, float | None]:
    cls: Any = components("measure")[name]
    config: MeasureConfig = cls(**options)
    return config.build(parts)(agent, parts.planner)


@pytest.mark.parametrize("name", DECISIONS)
def test_exact_model_reaches_the_oracle_level(
    name: str, parts: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    found = measured(name, parts, Player(tic_tac_toe))
    assert found
    for reading, value in found.items():
        oracle = METRICS[parse(reading).metric].oracle
        if "prior=uniform" in reading or "simulations=0" in reading or "part=" in reading:
            continue  # who is robbed of the prior, or of all search, does not know everything
        if oracle is not None:
            assert value == pytest.approx(oracle, abs=1e-9), reading


def test_zero_simulations_use_the_prior_and_the_gain_is_the_difference_to_search(
    learned: TrialParts,
) -> None:
    agent = learned.model.eval()
    found = measured("search_budget", learned, agent, simulations=[0, 4])
    decided = measured("decision", learned, agent)  # its planner has four simulations
    for many, who in ((0, "prior"), (4, "search")):
        for key in ("regret", "regret_decisive", "optimal_rate", "blunder_rate"):
            reading = f"decision/search_{key}[simulations={many}]"
            assert found[reading] == decided[f"decision/{who}_{key}"]
    gain = decided["decision/prior_regret"] - decided["decision/search_regret"]  # type: ignore[operator]
    assert found["decision/planning_gain[simulations=4]"] == pytest.approx(gain)
    assert found["decision/planning_gain[simulations=0]"] == 0.0
    solved = solved_positions_of(learned, 1)
    before = solved.regrets(solved.decide(agent, learned.planner)["prior"])
    after = solved.regrets(solved.decide(agent, learned.planner)["search"])
    worse = sum(b > a for a, b in zip(before.tolist(), after.tolist(), strict=True))
    assert worse > 0
    assert found["decision/worsened_rate[simulations=4]"] == pytest.approx(worse / 4520)


def test_blunder_is_a_move_into_a_loss_from_a_position_that_was_not_lost(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    q = torch.tensor([[1.0, 0.0, -1.0], [0.0, -1.0, -math.inf], [-1.0, -1.0, -1.0]])
    solved = SolvedPositions(tic_tac_toe, torch.arange(3), q)
    for moves, rate in (([0, 0, 0], 0.0), ([1, 0, 0], 0.0), ([2, 0, 0], 0.5), ([2, 1, 2], 1.0)):
        policy = one_hot(torch.tensor(moves), 3).float()
        assert solved.expected("search", policy)["decision/search_blunder_rate"] == rate
    assert solved.gap.tolist() == [1.0, 1.0, 0.0]
    assert solved.regrets(torch.tensor([2, 0, 1])).tolist() == [2.0, 0.0, 0.0]


# --- parts replaced ------------------------------------------------------------------------------


def test_shapley_values_of_a_sum_are_its_terms() -> None:
    gains = {"dynamics": 0.2, "prior": -0.05, "value": 0.1}
    regrets = {way: 0.5 - sum(gains[part] for part in way) for way in all_subsets()}
    assert shapley(regrets) == pytest.approx({part: -gain for part, gain in gains.items()})


def test_shapley_values_by_hand_if_two_parts_help_only_together() -> None:
    # Regret falls from 1 to 0.4 once both dynamics and value are replaced: each gets half.
    regrets = {way: 0.4 if {"dynamics", "value"} <= way else 1.0 for way in all_subsets()}
    expected = {"dynamics": -0.3, "prior": 0.0, "value": -0.3}
    assert shapley(regrets) == pytest.approx(expected)


def test_attributed_effects_sum_to_the_regret_with_all_parts_substituted(
    learned: TrialParts,
) -> None:
    agent = learned.model.eval()
    found = measured("transplant", learned, agent, simulations=[0, 4])
    as_it_is = "decision/transplant_regret[dynamics=learned,prior=learned,value=learned,simulations"
    replaced = "decision/transplant_regret[dynamics=true,prior=uniform,value=oracle,simulations"
    for many, who in ((0, "prior"), (4, "search")):
        effects = [
            v
            for k, v in found.items()
            if "substitution_effect" in k and k.endswith(f"simulations={many}]")
        ]
        assert len(effects) == 3
        change = found[f"{replaced}={many}]"] - found[f"{as_it_is}={many}]"]  # type: ignore[operator]
        assert sum(effects) == pytest.approx(change)  # type: ignore[arg-type]
        decided = measured("decision", learned, agent)
        assert found[f"{as_it_is}={many}]"] == decided[f"decision/{who}_regret"]


def test_learned_model_with_true_dynamics_equals_alphazero(
    learned: TrialParts, parts: TrialParts
) -> None:
    """MuZero with the rules for g decides as AlphaZero with the same h and f (identity I5)."""
    simulated = parts.model.eval()
    shared = {k: v for k, v in simulated.state_dict().items() if not k.startswith("noise")}
    agent = learned.model.eval()
    agent.load_state_dict(shared, strict=False)
    solved = solved_positions_of(parts, 1)
    how = Substitution(dynamics="true")
    moves = [
        solved.chosen_moves(model, parts.planner, search_action)
        for model in (
            simulated,
            OracleSubstitutedModel(agent, parts.environment, how),  # type: ignore[arg-type]
            with_true_dynamics(agent, parts.environment, how),
        )
    ]
    assert torch.equal(moves[0], moves[1])
    assert torch.equal(moves[0], moves[2])


def test_true_dynamics_provide_the_legal_actions(
    learned: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    agent = learned.model.eval()
    for dynamics, known in (("true", True), ("learned", False)):
        model = OracleSubstitutedModel(agent, tic_tac_toe, Substitution(dynamics=dynamics))  # type: ignore[arg-type]
        assert ("legal" in model.spec.heads) is known
        start = torch.zeros(1, dtype=torch.int64)
        root = model.represent(tic_tac_toe.observe(start), Generator(), start)
        then, _ = model.step(root, torch.tensor([4]), Generator())
        legal = model.predict(then).legal
        assert (legal is not None) is known
        if legal is not None:
            assert legal[0].tolist() == [cell != 4 for cell in range(9)]


def test_illegal_actions_have_no_regret(parts: TrialParts) -> None:
    solved = solved_positions_of(parts, 1)
    assert (solved.action_regret[~solved.legal] == 0).all()
    assert (solved.action_regret >= 0).all()
    action_value = solved.q.masked_fill(~solved.legal, -torch.inf)
    best = action_value.max(-1).values
    assert torch.equal(solved.action_regret[solved.legal], (best[:, None] - solved.q)[solved.legal])


def test_empty_substitution_does_not_change_the_moves(learned: TrialParts) -> None:
    agent, solved = learned.model.eval(), solved_positions_of(learned, 1)
    same = OracleSubstitutedModel(agent, learned.environment, Substitution())  # type: ignore[arg-type]
    learned_moves, moves = (
        solved.chosen_moves(m, learned.planner, search_action) for m in (agent, same)
    )
    # In kernels and by torch sums are rounded otherwise, which may turn a tie.
    assert (learned_moves == moves).float().mean() > 0.999


def test_oracle_is_undefined_after_an_illegal_action(
    learned: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    agent = learned.model.eval()
    model = OracleSubstitutedModel(agent, tic_tac_toe, Substitution(value="oracle"))
    start = torch.zeros(2, dtype=torch.int64)
    g = Generator()
    root = model.represent(tic_tac_toe.observe(start), g, start)
    once, _ = model.step(root, torch.tensor([4, 4]), g)
    twice, _ = model.step(once, torch.tensor([4, 0]), g)  # the centre is taken
    later, _ = model.step(twice, torch.tensor([1, 1]), g)
    assert twice.known.tolist() == later.known.tolist() == [False, True]
    values = model.predict(twice).value
    imagined = agent.predict(twice.latent).value
    assert values[0] == imagined[0]
    exact = tic_tac_toe.q(twice.state)[1].max()
    assert values[1] == exact
    assert values[1] != imagined[1]


def test_true_values_are_substituted_at_their_depth_only(
    learned: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    agent = learned.model.eval()
    model = OracleSubstitutedModel(agent, tic_tac_toe, Substitution(truth_at=2))
    g, start = Generator(), torch.zeros(1, dtype=torch.int64)
    latent = model.represent(tic_tac_toe.observe(start), g, start)
    bare = agent.represent(tic_tac_toe.observe(start), g, start)
    state = start
    for depth, move in enumerate([0, 3, 1, 4, 2], 1):  # the first player wins by it
        action = torch.tensor([move])
        state, real = tic_tac_toe.step(state, action, g)
        latent, edge = model.step(latent, action, g)
        bare, imagined = agent.step(bare, action, g)
        heads, own = model.predict(latent), agent.predict(bare)
        assert torch.equal(heads.policy, own.policy)
        if depth == 2:
            assert (edge.reward, edge.discount) == (real.reward, real.discount)
            assert edge.termination == 0.0
            assert heads.value == tic_tac_toe.q(state).max()
        else:
            assert edge.reward == imagined.reward != real.reward
            assert heads.value == own.value


def test_one_simulation_suffices_with_true_values_and_dynamics_everywhere(
    learned: TrialParts,
) -> None:
    """Enough simulations with a uniform prior find the exact value of every move."""
    agent, solved = learned.model.eval(), solved_positions_of(learned, 1)
    planner, legal = (planner_with(learned, 64, interior_legality=x) for x in (False, True))
    exact_agent = with_true_dynamics(
        agent, learned.environment, Substitution(dynamics="true", prior="uniform", value="oracle")
    )
    assert solved.regrets(solved.chosen_moves(exact_agent, legal, search_action)).mean() < 0.02
    assert solved.regrets(solved.chosen_moves(agent, planner, search_action)).mean() > 0.2


# --- errors that count ---------------------------------------------------------------------------


def test_decision_weighted_error_equals_a_direct_computation(
    parts: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    agent = Player(tic_tac_toe, off=0.5, sharp=0.5)
    found = measured("decision_weighted_error", parts, agent)["predictive/decision_weighted_error"]
    solved = solved_positions_of(parts, 1)
    plans: list[Tensor] = []

    def ask(root: Tensor, legal: Tensor, g: Generator) -> Tensor:
        plans.append(parts.planner.plan(agent, root, legal, g).visits)
        return plans[-1]

    visits = solved.evaluate(agent, ask)
    above = total = 0.0
    for row in range(0, 4520):
        q = solved.q[row].tolist()
        legal = [a for a in range(9) if q[a] > -2]
        worse = [q[a] for a in legal if q[a] < max(q)]
        gap = max(q) - max(worse) if worse else 0.0
        seen = float(visits[row].sum())
        for a in legal:
            weight = gap * float(visits[row, a]) / seen
            then = int(tic_tac_toe.table.successor[solved.state[row], a])
            ended = bool(tic_tac_toe.table.terminal[then])
            above += weight * (0.0 if ended else 0.25)
            total += weight
    assert found == pytest.approx(above / total, rel=1e-6)


def test_naive_decision_weighted_error_is_that_of_the_best_constant(
    parts: TrialParts,
) -> None:
    cls: Any = components("measure")["decision_weighted_error"]
    level = cls().build(parts).info().levels["predictive/decision_weighted_error"]
    solved, weighted_values = solved_positions_of(parts, 1), []
    for row in solved.q.tolist():
        legal_values = [action_value for action_value in row if action_value > -2]
        worse = [action_value for action_value in legal_values if action_value < max(legal_values)]
        gap = max(legal_values) - max(worse) if worse else 0.0
        weighted_values += [
            (gap / len(legal_values), action_value) for action_value in legal_values
        ]
    total = sum(weight for weight, _ in weighted_values)
    mean = sum(weight * action_value for weight, action_value in weighted_values) / total
    variance = (
        sum(weight * (action_value - mean) ** 2 for weight, action_value in weighted_values) / total
    )
    assert level == {"naive": pytest.approx(variance, rel=1e-6), "oracle": 0.0}


class UntrainedModel(Player):
    """Exact except for the value of terminal states; only `termination` marks them."""

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        then, edge = super().step(latent, action, generator)
        return then, replace(edge, discount=torch.full_like(edge.discount, -1.0))

    def predict(self, latent: Tensor) -> Heads:
        heads = super().predict(latent)
        return replace(heads, value=heads.value.where(heads.legal.any(-1), torch.tensor(0.7)))


@pytest.mark.parametrize("cut", [True, False])
def test_decision_weighted_error_crosses_predicted_terminations_like_the_search(
    cut: bool, tic_tac_toe: GameTableEnvironment
) -> None:
    parts = build(trial({"planner.use_predicted_termination": cut}))
    found = measured("decision_weighted_error", parts, UntrainedModel(tic_tac_toe))
    error = found["predictive/decision_weighted_error"]
    assert error == pytest.approx(0.0, abs=1e-9) if cut else error > 0.1


def test_exploitability_equals_a_recursive_best_response(tic_tac_toe: GameTableEnvironment) -> None:
    table = tic_tac_toe.table
    g = Generator().manual_seed(3)
    weights = torch.rand(table.size, 9, generator=g) * table.legal
    policy = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    uniform = table.legal.float() / table.legal.sum(-1, keepdim=True).clamp(min=1)
    greedy = one_hot((weights + table.legal).argmax(-1), 9).float()
    positions = tic_tac_toe.positions()
    solved = SolvedPositions(tic_tac_toe, positions, tic_tac_toe.q(positions))
    replies = BestReply(tic_tac_toe, solved)
    for chances in (policy, uniform, greedy):
        assert replies.exploitability(chances[positions].double()) == pytest.approx(
            _best_response_value(tic_tac_toe, chances.tolist()), abs=1e-6
        )
    perfect = one_hot(tic_tac_toe.q(positions).argmax(-1), 9).double()
    assert replies.exploitability(perfect) == 0.0


def _best_response_value(environment: GameTableEnvironment, policy: list[list[float]]) -> float:
    """Mean gain of the best reply from both sides, by recursion over the rules."""
    successor, reward = environment.table.successor.tolist(), environment.table.reward.tolist()
    legal, terminal = environment.table.legal.tolist(), environment.table.terminal.tolist()

    @cache
    def action_value(state: int, agents_turn: bool) -> float:
        """To who moves."""
        if terminal[state]:
            return 0.0
        moves = [a for a in range(9) if legal[state][a]]
        gains = {
            a: reward[state][a] - action_value(successor[state][a], not agents_turn) for a in moves
        }
        if agents_turn:
            return sum(policy[state][a] * gains[a] for a in moves)
        return max(gains.values())

    return (action_value(0, False) - action_value(0, True)) / 2


# --- open-loop play ------------------------------------------------------------------------------


class ForgetfulModel(Player):
    """Imagines that nothing ever moves."""

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        return latent, Edge(torch.zeros(len(latent)), -torch.ones(len(latent)))


def test_exact_model_plays_equally_well_open_loop(
    parts: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    blind: Callable[..., dict[str, float | None]] = partial(
        measured, "open_loop_play", parts, observation_intervals=[1, 2, 9]
    )
    sure = blind(Player(tic_tac_toe))
    assert len(set(sure.values())) == 1
    open_eyed = measured("matches", parts, Player(tic_tac_toe))["decision/search_score"]
    assert sure["decision/open_loop_score[interval=9]"] == open_eyed
    lost = blind(ForgetfulModel(tic_tac_toe))
    assert lost["decision/open_loop_score[interval=9]"] < open_eyed  # type: ignore[operator]


def test_per_position_record_holds_priors_visits_moves_and_regrets(learned: TrialParts) -> None:
    cls: Any = components("measure")["by_state"]
    agent = learned.model.eval()
    record = cls(simulations=4).build(learned).details(agent, learned.planner)
    solved = solved_positions_of(learned, 1)
    moves = solved.decide(agent, learned.planner)["search"]
    assert torch.equal(record["move"], moves)
    assert torch.equal(record["regret"], solved.regrets(moves))
    assert record["prior"].sum(-1).allclose(torch.ones(4520))
    assert record["visits"].sum(-1).allclose(torch.ones(4520))
    assert bool((record["visits"][~solved.legal] == 0).all())
