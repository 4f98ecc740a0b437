"""Errors of imagined returns and of the model's own consistency, against sums made one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.workbench.measures.exact_model import ExactModel, sequences
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.measures.prediction.equivalence_error import EquivalenceError
from workbench.types import Edge

DEPTH = 4
VALUE, REWARDS, OWN = (
    f"predictive/{name}_error"
    for name in ("value_equivalence", "policy_evaluation", "self_consistency")
)
GAMMA = 0.9


@pytest.fixture(scope="module")
def environment() -> GameTableEnvironment:
    """With a discount, so that rewards and values of other depths weigh otherwise."""
    return TicTacToe(discount=GAMMA).build()


def exact_value_model(environment: GameTableEnvironment, off: float = 0.0) -> ExactModel:
    """Plays perfectly, and values every position too highly by `off`."""

    def value(state: Tensor, code: Tensor) -> Tensor:
        return environment.q(state).max(-1).values.nan_to_num(neginf=0.0) + off

    return ExactModel(environment, value=value, policy=lambda state, code: environment.q(state))


def readings(
    environment: GameTableEnvironment, model: ExactModel, cut: bool = False
) -> dict[str, float | None]:
    measure = EquivalenceError(sequences(environment, DEPTH), cut, by_source=True)
    return measure(model, None)  # type: ignore[arg-type]


def test_exact_model_has_zero_error(environment: GameTableEnvironment) -> None:
    row = readings(environment, exact_value_model(environment))
    for name, error in row.items():
        assert error == pytest.approx(0.0, abs=1e-9), name
    for name in (VALUE, REWARDS):
        assert f"{name}@0" not in row
        for k in range(1, DEPTH + 1):
            assert f"{name}@{k}[source=oracle]" in row
    assert {name for name in row if name.startswith(OWN)} == {
        OWN, *(f"{OWN}@{k}" for k in range(DEPTH))
    }  # fmt: skip


def test_constant_value_offset_is_inconsistent_only_with_itself(
    environment: GameTableEnvironment,
) -> None:
    off = 0.3
    row = readings(environment, exact_value_model(environment, off))
    # h and g agree on the value of the same state, right or wrong.
    assert row[VALUE] == row[REWARDS] == pytest.approx(0.0, abs=1e-9)
    state, line = environment.positions(), []
    for k in range(DEPTH):
        q = environment.q(state)
        state = environment.table.successor[state, q.argmax(-1)]
        over = environment.table.terminal[state]
        # v + c against r - gamma (v' + c) = v - gamma c, or against r = v before the end.
        expected = ((off * (1 + GAMMA)) ** 2 * (~over) + off**2 * over).double()
        line.append(float(expected.mean()))
        assert row[f"{OWN}@{k}"] == pytest.approx(line[-1], rel=1e-4)
        state = state[~over]
    assert row[OWN] == pytest.approx(sum(line) / DEPTH, rel=1e-4)


@pytest.mark.parametrize("cut", [False, True])
def test_returns_are_discounted_sums_signed_by_player(
    cut: bool, environment: GameTableEnvironment
) -> None:
    reward, end, value = 0.2, 0.25, 0.4

    def flat(edge: Edge) -> Edge:
        every = torch.ones(len(edge.reward))
        return Edge(reward * every, -GAMMA * every, end * every)

    model = ExactModel(
        environment, edge=flat, value=lambda state, code: torch.full((len(code),), value)
    )
    row = readings(environment, model, cut)
    data, table = sequences(environment, DEPTH), environment.table
    onward = -GAMMA * (1 - end) if cut else -GAMMA
    for k in (1, 2, DEPTH):
        squares, gaps, nothing = [], [], []
        imagined = sum(reward * onward**i for i in range(k))
        for states, actions in zip(data.state.tolist(), data.action.tolist(), strict=True):
            if bool(table.terminal[states[k - 1]]):
                continue
            true = sum(float(table.reward[states[i], actions[i]]) * (-GAMMA) ** i for i in range(k))
            then = 0.0 if bool(table.terminal[states[k]]) else value * (-GAMMA) ** k
            squares.append((imagined + value * onward**k - true - then) ** 2)
            gaps.append(abs(imagined - true))
            nothing.append(abs(true))
        assert row[f"{VALUE}@{k}"] == pytest.approx(sum(squares) / len(squares), rel=1e-4)
        assert row[f"{REWARDS}@{k}"] == pytest.approx(sum(gaps) / len(gaps), rel=1e-4)
        facts = EquivalenceError(data, cut).info()
        chance = facts.levels[f"{REWARDS}@{k}"]["naive"]
        assert chance == pytest.approx(sum(nothing) / len(nothing), rel=1e-5)
        assert facts.counts[VALUE][k - 1] == facts.counts[REWARDS][k - 1] == len(gaps)


def test_returns_end_at_a_predicted_termination(
    environment: GameTableEnvironment,
) -> None:
    def likely(edge: Edge) -> Edge:
        return replace(edge, termination=torch.full_like(edge.reward, 0.6))

    model = exact_value_model(environment, 0.3)
    cut = readings(
        environment,
        ExactModel(environment, edge=likely, value=model._value, policy=model._policy),
        True,
    )
    assert {name for name in cut if name.startswith(OWN)} == {OWN, f"{OWN}@0"}


def test_root_actions_are_legal(environment: GameTableEnvironment) -> None:
    class Learned(ExactModel):
        """The policy masks no actions, and the environment refuses illegal ones."""

        def predict(self, latent):  # type: ignore[no-untyped-def]
            return replace(super().predict(latent), legal=None)

    stones = Learned(environment, policy=lambda state, code: -environment.legal(state).float())
    measure = EquivalenceError(sequences(environment, 1), cut=False)
    assert measure(stones, None)[f"{OWN}@0"] is not None  # type: ignore[arg-type]
