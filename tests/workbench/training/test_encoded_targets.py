"""Targets that a model makes of real observations, at every index of random episodes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from tests.workbench.fakes import problems_of
from tests.workbench.training.histories import History, experience
from tests.workbench.training.test_targets import SOME, state_mask, transition_mask, windows
from workbench.contracts import Context
from workbench.models.composed import Simulated
from workbench.models.world_model import WorldModel
from workbench.registry import components
from workbench.types import Heads, Target, Window


class ScalingModel(nn.Module):
    """Encodes what it sees times a factor in a latent [2, 1], whose sum times it is the value."""

    latent_tensor = WorldModel.latent_tensor

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def represent(self, observation: Tensor, generator: Generator) -> Tensor:
        return self.factor * observation[..., None]

    def predict(self, latent: Tensor) -> Heads:
        return Heads(latent[:, :, 0], self.factor * latent.sum((1, 2)))


def made(target: str, window: Window, absorbing: bool, **options: str) -> Target:
    context = Context(absorbing, ScalingModel(2.0), ScalingModel(-3.0), None, Generator())  # type: ignore[arg-type]
    cls: Any = components("target")[target]
    result: Target = cls(**options).build()(window, context)
    assert not result.value.requires_grad
    return result


everything = given(groups=experience(), unroll=st.integers(0, 6), absorbing=st.booleans())


@SOME
@everything
def test_next_latent_encodes_all_reached_states_including_the_last(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    for of, factor in (("model", 2.0), ("agent", -3.0)):
        target = made("next_latent", window, absorbing, network=of)
        assert target.value.shape == (len(starts), unroll + 1, 2, 1)
        for b, (h, t) in enumerate(starts):
            for k in range(unroll + 1):
                assert float(target.mask[b, k]) == float(k > 0 and t + k <= h.length)
                if target.mask[b, k]:
                    expected = [[factor * h.number], [factor * (t + k)]]
                    assert target.value[b, k].tolist() == expected


@SOME
@everything
def test_next_observation_is_the_observation_of_all_reached_states(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    target = made("next_observation", window, absorbing)
    for b, (h, t) in enumerate(starts):
        for k in range(unroll + 1):
            assert float(target.mask[b, k]) == float(t + k <= h.length)
            if target.mask[b, k]:
                assert target.value[b, k].tolist() == [h.number, t + k]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32], ids=str)
def test_next_observation_keeps_its_dtype(dtype: torch.dtype) -> None:
    window, _ = windows([[history()]], 100, 2, 0)
    fields = {**vars(window), "observation": window.observation.to(dtype)}
    assert made("next_observation", Window(**fields), True).value.dtype == dtype


def history() -> History:
    policies = ((1.0, 0.0, 0.0),) * 3
    return History(0, 1.0, (0,) * 4, (0.0,) * 3, (0.0,) * 4, (0,) * 3, policies, True)


@SOME
@everything
def test_next_value_is_that_of_the_target_network_and_0_after_termination(
    groups: list[list[History]], unroll: int, absorbing: bool
) -> None:
    window, starts = windows(groups, 1000, unroll, 0)
    target = made("next_value", window, absorbing)
    assert target.value.shape == (len(starts), unroll + 1)
    for b, (h, t) in enumerate(starts):
        for k in range(unroll + 1):
            assert float(target.mask[b, k]) == (k > 0) * state_mask(h, t + k, absorbing)
            if target.mask[b, k]:
                inside = t + k < h.length
                assert float(target.value[b, k]) == (9.0 * (h.number + t + k) if inside else 0)


def test_last_trained_edge_leads_into_the_last_state() -> None:
    # Beside the mask of `edge_mask`, which goes on where states past the end are absorbing.
    window, starts = windows([[history()]], 100, 4, 0)
    mask = made("next_latent", window, True).mask
    for b, (h, t) in enumerate(starts):
        for k in range(1, 5):
            assert float(mask[b, k]) == transition_mask(h, t + k, absorbing=False)


class RecordModel(ScalingModel):
    """Whose latent is a record."""

    def represent(self, observation: Tensor, generator: Generator) -> Any:
        return Simulated(None, -observation, observation)


def test_next_latent_of_a_record_is_its_latent_tensor() -> None:
    class RecordModelWithTensor(RecordModel):
        def latent_tensor(self, latent: Any) -> Tensor:
            code: Tensor = latent.latent
            return code

    window, _ = windows([[history()]], 100, 2, 0)
    context = Context(True, RecordModelWithTensor(1.0), None, None, Generator())  # type: ignore[arg-type]
    maker: Any = components("target")["next_latent"]
    assert torch.equal(maker().build()(window, context).value, window.observation)


def test_record_without_latent_tensor_is_rejected() -> None:
    window, _ = windows([[history()]], 100, 2, 0)
    context = Context(True, RecordModel(1.0), None, None, Generator())  # type: ignore[arg-type]
    maker: Any = components("target")["next_latent"]
    with pytest.raises(TypeError, match=r"RecordModel.*no code.*Simulated"):
        maker().build()(window, context)


@pytest.mark.parametrize(("key", "name"), [("latent", "next_latent"), ("next_value",) * 2])
def test_encoded_targets_are_rejected_for_simulators(key: str, name: str) -> None:
    (problem,) = problems_of(
        "preset: muzero\nmodel.dynamics: 'true'\nplanner.interior_legality: true\n"
        f"losses: {{reward: null, termination: null}}\ntargets.{key}: {name}\n"
    )
    assert f"t.yaml:5: targets.{key}: target '{name}'" in problem
    assert "model 'composed'" in problem


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("consistency", "`targets.latent`: next_latent"),
        ("contrastive", "`targets.latent`: next_latent"),
        ("value_equivalence", "`targets.next_value`: next_value"),
    ],
)
def test_missing_target_of_a_loss_is_reported_with_its_source(name: str, hint: str) -> None:
    (problem,) = problems_of(f"preset: muzero\nlosses.{name}: 1.0\n")
    assert problem.endswith(
        f"loss '{name}' needs a target '{hint[9 : hint.index('`:')]}'; add {hint}"
    )
