"""The encoder that brings its contrastive term along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from tests.workbench.fakes import TINY, problems_of
from tests.workbench.fakes import trial as tiny
from workbench import documents
from workbench.config import TrialConfig, dump, identity, read_trial
from workbench.errors import SourceLocation
from workbench.trial import build

CHOSEN = {"model.representation": {"name": "contrastive", "encoder": {"name": "mlp", "width": 8}}}

BASE = {key: value for key, value in TINY.items() if not key.startswith("model.representation")}


def trial(changes: Mapping[str, Any] = {}) -> TrialConfig:
    return tiny(changes, BASE)


def plain(config: TrialConfig) -> Any:
    return dump(config)


def test_contrastive_encoder_adds_loss_and_target() -> None:
    bare, paired = plain(trial()), plain(trial(CHOSEN))
    assert paired["targets"] == bare["targets"] | {
        "latent": {"name": "next_latent", "network": "model"}
    }
    brought = paired["losses"].pop("contrastive")
    assert paired["losses"] == bare["losses"]
    assert brought["name"] == "contrastive"
    assert (brought["weight"], brought["term"]) == (1.0, "infonce")


def test_options_are_those_of_the_loss_and_the_file_overrides_them() -> None:
    options = {"model.representation.weight": 0.5, "model.representation.term": "hinge"}
    for overrides, weight, term, margin in (
        ({}, 0.5, "hinge", 1.0),
        ({"losses.contrastive": 0.25}, 0.25, "hinge", 1.0),
        ({"losses.contrastive.margin": 3.0}, 0.5, "hinge", 3.0),
        ({"losses.contrastive": {"term": "infonce"}}, 0.5, "infonce", 1.0),
    ):
        loss = plain(trial({**CHOSEN, **options, **overrides}))["losses"]["contrastive"]
        assert (loss["weight"], loss["term"], loss["margin"]) == (weight, term, margin), overrides
    slow = plain(trial({**CHOSEN, "targets.latent": {"name": "next_latent", "network": "agent"}}))
    assert slow["targets"]["latent"]["network"] == "agent"


@pytest.mark.parametrize(
    "overrides", [{}, {"losses.contrastive": 0.25}, {"losses.policy": 2}], ids=str
)
def test_resolved_configuration_is_a_fixed_point(overrides: dict[str, Any]) -> None:
    config = trial({**CHOSEN, "model.representation.term": "hinge", **overrides})
    again = read_trial(documents.wrap(dump(config), SourceLocation("dump")))
    assert again == config
    assert identity(again) == identity(config)


def test_network_and_initial_weights_equal_those_of_the_wrapped_encoder() -> None:
    mlp = {"name": "mlp", "width": 8, "latent_size": 8}
    alone = build(trial({"model.representation": mlp}))
    paired = build(trial({"model.representation": {"name": "contrastive", "encoder": mlp}}))
    mine, theirs = paired.model.state_dict(), alone.model.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert paired.model.spec == alone.model.spec


def test_declarations_are_those_of_the_wrapped_encoder() -> None:
    for encoder, trainable in (("mlp", True), ("random", False)):
        chosen = {"name": "contrastive", "encoder": encoder}
        config: Any = trial({"model.representation": chosen, "model.dynamics.width": 8})
        assert config.model.representation.trainable == trainable
        assert config.model.representation.row_independent


def test_errors_of_the_wrapped_encoder_are_located_at_its_key() -> None:
    text = "preset: muzero\nmodel.representation:\n  name: contrastive\n  encoder:\n    {}\n"
    (unknown,) = problems_of(text.format("name: cnm"))
    assert unknown.startswith(
        "t.yaml:5: model.representation.encoder: unknown representation 'cnm'"
    )
    found = problems_of(text.format("{name: gcn, graph: lnies}"))
    assert len(found) == 1
    assert "'lnies'" in found[0]


def test_removing_the_loss_is_rejected_with_a_remedy() -> None:
    text = "preset: muzero\nmodel.representation: contrastive\nlosses.contrastive: null\n"
    (problem,) = problems_of(text)
    assert problem.startswith("t.yaml:2: model.representation: representation 'contrastive'")
    assert "loss 'contrastive'" in problem
    assert "'cnn'" in problem
    (problem,) = problems_of(
        "preset: muzero\nmodel.representation: contrastive\ntargets.latent: ~\n"
    )
    assert "`targets.latent`: next_latent" in problem


def test_contrastive_encoder_of_a_simulator_is_rejected() -> None:
    (problem,) = problems_of(
        "preset: muzero\nmodel.representation: contrastive\nmodel.dynamics: 'true'\n"
        "planner.interior_legality: true\nlosses: {reward: null, termination: null}\n"
    )
    assert problem.startswith("t.yaml:2: targets.latent: target 'next_latent'")


def test_error_in_the_file_is_reported_once() -> None:
    found = problems_of("preset: muzero\nmodel.representation: contrastive\nseeed: 1\n")
    assert len(found) == 1
    assert "did you mean 'seed'?" in found[0]
