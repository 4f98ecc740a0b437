"""Representations within kernels against the same by calls of torch."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from workbench.config import read_trial
from workbench.documents import wrap
from workbench.errors import SourceLocation
from workbench.models.world_model import WorldModel
from workbench.planning.tree.compiled_encoder import represent
from workbench.trial import build

ROWS = 37  # two tiles and a part of one
MLP = {"name": "mlp", "width": 40, "latent_size": 24}


def model_of(**overlay: object) -> WorldModel:
    return build(read_trial(wrap({"preset": "muzero", **overlay}, SourceLocation("test")))).model


def seen(kind: torch.dtype = torch.float32) -> Tensor:
    """Tic-tac-toe's planes, of any numbers. [ROWS, 3, 3, 3]"""
    shades = torch.randint(0, 256, (ROWS, 3, 3, 3), generator=Generator().manual_seed(1))
    return shades > 127 if kind == torch.bool else shades.to(kind)


def encoded(model: WorldModel, observation: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Encode with `represent`; a call of the model's own method would fail."""
    with monkeypatch.context() as patch, torch.inference_mode():
        patch.delattr(type(model), "represent")
        latent: Tensor = represent(model, observation, Generator())
        return latent


def alike(model: WorldModel, observation: Tensor, monkeypatch: pytest.MonkeyPatch) -> bool:
    plain = model.represent(observation, Generator())
    return torch.allclose(encoded(model, observation, monkeypatch), plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["min_max", "layer_norm", "l2", "none"])
@pytest.mark.parametrize("depth", [1, 3])
def test_compiled_encoder_equals_torch(
    norm: str, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(**{"model.latent_norm": norm, "model.representation": MLP | {"depth": depth}})
    assert alike(model, seen() / 255, monkeypatch)


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_compiled_encoder_reads_every_observation_dtype_like_torch(
    kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(**{"model.representation": MLP})
    assert alike(model, seen(kind), monkeypatch)
    turned = seen(kind).transpose(1, 3)  # not as it lies in memory
    assert alike(model, turned, monkeypatch)


def test_compiled_encoder_uses_updated_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    model, observation = model_of(), seen(torch.bool)
    before = encoded(model, observation, monkeypatch)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    assert not torch.allclose(before, encoded(model, observation, monkeypatch), atol=1e-3)
    assert alike(model, observation, monkeypatch)


def test_encoding_of_a_row_does_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model, observation = model_of(), seen(torch.bool)
    whole = encoded(model, observation, monkeypatch)
    for row in (0, 17, ROWS - 1):
        assert torch.equal(encoded(model, observation[[row]], monkeypatch)[0], whole[row])


@pytest.mark.parametrize(
    "representation",
    [{"name": "cnn"}, MLP | {"width": 2000}],
    ids=["convolutions", "more weights than are copied"],
)
def test_other_encoders_fall_back_to_torch(
    representation: dict[str, object],
) -> None:
    model = model_of(**{"model.representation": representation})
    with torch.inference_mode():
        plain = model.represent(seen(torch.bool), Generator())
        assert torch.equal(represent(model, seen(torch.bool), Generator()), plain)
