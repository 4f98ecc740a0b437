"""The search within kernels against the same search by calls of the model in torch."""

from __future__ import annotations

import pytest
import torch

from workbench.config import read_trial
from workbench.contracts import TrialParts
from workbench.documents import wrap
from workbench.errors import SourceLocation, TrialDiverged
from workbench.planning.tree import search
from workbench.trial import build
from workbench.types import Plan

NORMS = ["min_max", "layer_norm", "l2", "none"]


def parts_of(preset: str, **overlay: object) -> TrialParts:
    return build(read_trial(wrap({"preset": preset, **overlay}, SourceLocation("test"))))


def plan(parts: TrialParts, rows: int = 21, explore: bool = False) -> Plan:
    built_environment, model, generator = (
        parts.environment,
        parts.model,
        torch.Generator().manual_seed(3),
    )
    state = built_environment.reset(rows, generator)
    for _ in range(2):
        action = torch.multinomial(built_environment.legal(state).float(), 1, generator=generator)[
            :, 0
        ]
        state, _ = built_environment.step(state, action, generator)
    root = model.represent(built_environment.observe(state), generator, state)
    return parts.planner.plan(model, root, built_environment.legal(state), generator, explore)


def by_calls(parts: TrialParts, monkeypatch: pytest.MonkeyPatch, explore: bool = False) -> Plan:
    with monkeypatch.context() as patch:
        patch.setattr(search, "compiled_network", lambda model, cut: None)
        return plan(parts, explore=explore)


def same(a: Plan, b: Plan) -> bool:
    return bool((a.visits == b.visits).all()) and torch.allclose(a.q, b.q, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("preset", ["muzero", "gumbel_muzero"])
def test_compiled_network_and_torch_give_equal_searches(
    preset: str, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(preset, **{"model.latent_norm": norm})
    assert search.compiled_network(parts.model, False) is not None
    assert same(plan(parts), by_calls(parts, monkeypatch))


@pytest.mark.parametrize("preset", ["muzero", "gumbel_muzero"])
def test_compiled_network_and_torch_give_equal_exploring_searches(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(preset)
    explored = plan(parts, explore=True)
    assert same(explored, by_calls(parts, monkeypatch, explore=True))
    assert not torch.equal(explored.visits, plan(parts).visits)


def test_search_uses_updated_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of("muzero")
    before = plan(parts)
    optimiser = torch.optim.AdamW(parts.model.parameters(), lr=0.1, fused=True)
    for parameter in parts.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    after = plan(parts)
    assert not torch.allclose(before.value, after.value, atol=1e-3)
    assert same(after, by_calls(parts, monkeypatch))


def test_search_uses_weights_moved_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of("muzero")
    before = plan(parts)
    for parameter in parts.model.parameters():
        parameter.data = parameter.data * 1.5
    after = plan(parts)
    assert not torch.allclose(before.value, after.value, atol=1e-3)
    assert same(after, by_calls(parts, monkeypatch))


@pytest.mark.parametrize("preset", ["muzero", "gumbel_muzero"])
def test_search_of_a_row_does_not_depend_on_the_batch(preset: str) -> None:
    parts = parts_of(preset)
    built_environment, model, generator = (
        parts.environment,
        parts.model,
        torch.Generator().manual_seed(3),
    )
    state = built_environment.reset(19, generator)
    root = torch.randn(19, 96)
    legal = built_environment.legal(state)
    whole = parts.planner.plan(model, root, legal, generator)
    for row in (0, 17):
        single = parts.planner.plan(model, root[[row]], legal[[row]], generator)
        assert torch.equal(single.visits, whole.visits[[row]])
        assert single.depth == whole.depth[row]


def test_underflowing_root_noise_does_not_change_the_prior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = parts_of("muzero", **{"planner.dirichlet_alpha": 1e-9})
    calm = plan(parts)
    assert torch.equal(plan(parts, explore=True).visits, calm.visits)
    assert same(by_calls(parts, monkeypatch, explore=True), calm)


@pytest.mark.parametrize(
    ("part", "messages"), [("dynamics", "the plan"), ("prediction", "policy or value")]
)
@pytest.mark.parametrize("preset", ["muzero", "gumbel_muzero"])
@pytest.mark.parametrize("norm", NORMS)
def test_nan_weights_are_reported(norm: str, preset: str, part: str, messages: str) -> None:
    parts = parts_of(preset, **{"model.latent_norm": norm})
    with torch.no_grad():
        for parameter in parts.model.parts()[part].parameters():
            parameter[:] = torch.nan
    with pytest.raises(TrialDiverged, match=messages):
        plan(parts)
