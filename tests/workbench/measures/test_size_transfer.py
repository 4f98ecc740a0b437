"""Agents on boards of other sizes: their weights as they are, and what cannot be taken along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from tests.workbench.fakes import trial
from workbench.errors import ConfigError
from workbench.measures.play.match_score import MatchScore
from workbench.measures.play.transfer import TransferScore
from workbench.trial import build

CELLS: dict[str, Any] = {
    "environment": {"name": "hex", "size": 3},
    "model.representation": {"name": "cnn", "width": 6, "depth": 1, "latent_kind": "grid"},
    "model.dynamics": {"name": "conv", "width": 6},
    "model.prediction": {"name": "cells", "width": 8},
}


def transfer_config(target: Any, over: Mapping[str, Any] = {}, **options: Any) -> dict[str, Any]:
    entry = {"environment": target, "games": 6, "opening_moves": 2, **options}
    measures = {"predictive": None, "decision": None, "size_transfer": entry}
    return {**CELLS, "measures": measures, **over}


def messages(target: Any, over: Mapping[str, Any] = {}, **options: Any) -> list[str]:
    """Problems found when the trial is read."""
    try:
        trial(transfer_config(target, over, **options))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


NODES: dict[str, Any] = {
    "model.representation": {"name": "gcn", "width": 6, "depth": 2, "latent_kind": "nodes"},
    "model.dynamics": {"name": "gcn", "width": 6},
}


@pytest.mark.parametrize("over", [{}, NODES], ids=["grid", "nodes"])
def test_transferred_agent_equals_one_built_there_with_the_same_weights(
    over: dict[str, Any],
) -> None:
    config = trial(transfer_config({"name": "hex", "size": 5}, over, mcts_rollouts=[10]))
    parts = build(config)
    measure = config.measures["size_transfer"].build(parts)
    assert isinstance(measure, TransferScore)
    unmeasured = {"measures": {"predictive": None, "decision": None}}
    larger = {"environment": {"name": "hex", "size": 5}, "seed": 9}
    target = build(trial({**CELLS, **over, **unmeasured, **larger}))
    rows = []
    for _ in range(2):
        for parameter in parts.model.parameters():
            nn.init.normal_(parameter, std=0.5)
        before = {name: value.clone() for name, value in parts.model.state_dict().items()}
        row = measure(parts.model.eval(), None)  # type: ignore[arg-type]
        assert all(torch.equal(before[k], v) for k, v in parts.model.state_dict().items())
        target.model.load_state_dict(parts.model.state_dict())
        played = MatchScore(target.environment, 6, 2, [10], prior=True)
        expected = played(target.model.eval(), target.planner)
        assert row == {name.replace("/", "/transfer_"): score for name, score in expected.items()}
        rows.append(row)
    assert set(rows[0]) == {
        f"decision/transfer_{name}_score{against}"
        for name in ("prior", "search")
        for against in ("", "_mcts_10")
    }
    facts = measure.info()
    assert set(facts.levels) == set(rows[0])
    assert facts.digest == MatchScore(target.environment, 6, 2, [10], prior=True).info().digest


def test_transfer_uses_the_current_weights() -> None:
    config = trial(transfer_config({"name": "hex", "size": 4}))
    parts = build(config)
    measure: Any = config.measures["size_transfer"].build(parts)
    for _ in range(2):
        nn.init.normal_(parts.model.representation[0].weight)  # type: ignore[index,operator]
        measure(parts.model.eval(), None)
        taken = measure._model.state_dict()
        assert all(torch.equal(taken[k], v) for k, v in parts.model.state_dict().items())


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (
            {"model.prediction": {"name": "mlp", "width": 8}},
            ["prediction 'mlp'", "state.hidden.weight: [8, 54] becomes [8, 150]", "per cell"],
        ),
        (
            {
                "model.representation": {"name": "cnn", "width": 6, "latent_size": 8},
                "model.dynamics": {"name": "mlp", "width": 8},
                "model.prediction": {"name": "mlp", "width": 8},
            },
            ["representation 'cnn'", "becomes [8, 150]", "'hex'"],
        ),
    ],
)
def test_size_dependent_weights_are_reported_with_their_part(
    over: dict[str, Any], words: list[str]
) -> None:
    problems = messages({"name": "hex", "size": 5}, over)
    assert all(": measures.size_transfer: measure" in p for p in problems)
    assert any(all(word in problem for word in words) for problem in problems), problems


def test_environment_of_another_kind_is_rejected() -> None:
    (problem,) = messages("othello")
    assert "from environment 'hex' to environment 'othello': they observe 4 and 3 planes" in problem
    problem, *_ = messages("breakthrough")
    assert "weights of dynamics 'conv' do not fit environment 'breakthrough'" in problem
    assert any("'cartpole' has one agent" in problem for problem in messages("cartpole"))
    (problem,) = messages({"name": "openspiel", "game": "nim"})
    assert "both must observe planes" in problem
    (problem,) = messages({"name": "hex", "size": 3}, opening_moves=9)
    assert "'size_transfer' with opening_moves 9" in problem


def test_missing_property_of_the_target_environment_is_reported() -> None:
    graphs = {
        "model.representation": {"name": "gcn", "graph": "lines", "latent_kind": "nodes"},
        "model.dynamics": {"name": "gcn", "graph": "lines"},
        "model.prediction": {"name": "mlp", "width": 8},
        "environment": "tic_tac_toe",
    }
    problems = messages("othello", graphs)
    assert any(
        "in the target environment: representation 'gcn'" in problem for problem in problems
    ), problems
    assert all("'size_transfer'" in problem for problem in problems)


def test_board_of_the_same_size_is_accepted() -> None:
    assert messages({"name": "hex", "size": 3}) == []
    assert messages({"name": "hex", "size": 6}) == []
