"""Consistency against its formula in numpy, with its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.workbench.fakes import problems_of
from tests.workbench.losses.unroll_fixtures import (
    SHAPES,
    imagined_mask,
    line,
    loss,
    model,
    random,
    target,
)
from workbench.types import LatentKind

KINDS = list(SHAPES)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def run(module: nn.Sequential, x: np.ndarray) -> np.ndarray:
    """A stack of linear layers, batch norms and ReLUs over [N, D] by its formulas."""
    for layer in module:
        if isinstance(layer, nn.Linear):
            x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        elif isinstance(layer, nn.BatchNorm1d):
            centred = x - x.mean(0)
            x = centred / np.sqrt((centred**2).mean(0) + 1e-5)
        else:
            x = np.maximum(x, 0)
    return x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("distance", ["cosine", "mse"])
@pytest.mark.parametrize("heads", ["simsiam", "none"])
def test_loss_is_the_distance_between_heads_of_unrolled_and_encoded_latents(
    kind: LatentKind, distance: str, heads: str
) -> None:
    shape = SHAPES[kind]
    imagined, real = random(5, 4, *shape), random(5, 4, *shape, seed=1)
    mask = imagined_mask(5, 3)
    term: Any = loss("consistency", model(kind), heads=heads, distance=distance, projection=8)
    kept = mask.numpy() > 0
    a, b = (x.flatten(2).numpy()[kept] for x in (imagined, real))
    if heads == "simsiam":
        assert len(term.project) == 8
        assert len(term.predict) == 4
        a, b = run(term.predict, run(term.project, a)), run(term.project, b)
    expected = 1 - cosine(a, b) if distance == "cosine" else ((a - b) ** 2).mean(-1)
    error = term(line(imagined), {"latent": target(real, mask)}, None).detach().numpy()
    assert error.shape == (5, 4)
    np.testing.assert_allclose(error[kept], expected, atol=1e-4)
    assert not error[~kept].any()


@pytest.mark.parametrize("heads", ["simsiam", "none"])
def test_gradient_reaches_unrolled_latents_only(heads: str) -> None:
    imagined = random(4, 3, 6).requires_grad_()
    real = random(4, 3, 6, seed=1).requires_grad_()
    term = loss("consistency", model(), heads=heads)
    mask = imagined_mask(4, 2)
    term(line(imagined), {"latent": target(real.detach(), mask)}, None).sum().backward()
    assert imagined.grad is not None
    assert torch.equal(imagined.grad.abs().sum(-1) > 0, mask > 0)
    # Not even where the target itself would let one through.
    term(line(imagined), {"latent": target(real, mask)}, None).sum().backward()
    assert real.grad is None


def test_projector_gets_no_gradient_from_the_target_branch() -> None:
    # Where the imagined branch is cut off by a predictor of zeros, nothing is left.
    imagined, real = random(4, 3, 6), random(4, 3, 6, seed=1)
    term: Any = loss("consistency", model(), distance="mse")
    last = term.predict[-1]
    nn.init.zeros_(last.weight)
    term(line(imagined), {"latent": target(real)}, None).sum().backward()
    assert bool(last.bias.grad.any())
    assert all(p.grad is None or not p.grad.any() for p in term.project.parameters())


def test_loss_is_zero_if_unrolled_latents_equal_encoded_ones() -> None:
    real = random(4, 3, 6)
    for distance in ("cosine", "mse"):
        term = loss("consistency", model(), heads="none", distance=distance)
        error = term(
            line(3 * real if distance == "cosine" else real), {"latent": target(real)}, None
        )
        assert float(error.abs().max()) < 1e-6


def test_loss_of_an_unroll_without_steps_is_zero() -> None:
    real = random(4, 1, 6)
    error = loss("consistency", model())(line(real), {"latent": target(real)}, None)
    assert error.tolist() == [[0.0]] * 4


def test_batch_of_one_row_is_rejected() -> None:
    text = "preset: muzero\nlosses.consistency: {{heads: {}}}\ntargets.latent: next_latent\n"
    batch = "procedure.batch_size: 1\n"
    (problem,) = problems_of(text.format("simsiam") + batch)
    assert "t.yaml:2: losses.consistency: loss 'consistency'" in problem
    assert "procedure 'self_play' has batches of 1" in problem
    assert problems_of(text.format("none") + batch) == problems_of(text.format("simsiam")) == []
