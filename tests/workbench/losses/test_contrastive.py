"""InfoNCE and C-SWM's hinge against their formulas, and what collapse earns: nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

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
ROWS, STEPS = 5, 3
OBJECTS = {"vector": 1, "grid": 9, "nodes": 4}


def latents(kind: LatentKind, seed: int = 0) -> Tensor:
    return random(ROWS, STEPS + 1, *SHAPES[kind], seed=seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("score", ["cosine", "bilinear"])
@pytest.mark.parametrize("projection", [0, 7])
def test_infonce_is_the_cross_entropy_over_the_rows_of_the_batch(
    kind: LatentKind, score: str, projection: int
) -> None:
    imagined, real, mask = latents(kind), latents(kind, 1), imagined_mask(ROWS, STEPS)
    term: Any = loss(
        "contrastive", model(kind), score=score, temperature=0.3, projection=projection
    )
    with torch.no_grad():
        a, b = (term.project(x.flatten(2)).numpy().astype(np.float64) for x in (imagined, real))
    expected = np.zeros((ROWS, STEPS + 1))
    for k in range(1, STEPS + 1):
        for i in range(ROWS):
            if score == "cosine":
                norms = [np.linalg.norm(a[i, k]) * np.linalg.norm(b[j, k]) for j in range(ROWS)]
                scores = [a[i, k] @ b[j, k] / norms[j] / 0.3 for j in range(ROWS)]
            else:
                weight = term.score.weight.weight.detach().numpy()
                scores = [(weight @ a[i, k]) @ b[j, k] / 0.3 for j in range(ROWS)]
            expected[i, k] = math.log(sum(math.exp(s) for s in scores)) - scores[i]
    error = term(line(imagined), {"latent": target(real, mask)}, None)
    np.testing.assert_allclose(error.detach().numpy(), expected * mask.numpy(), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_hinge_equals_the_c_swm_energy_over_the_objects(kind: LatentKind) -> None:
    imagined, real, mask = latents(kind), latents(kind, 1), imagined_mask(ROWS, STEPS)

    def energy(a: np.ndarray, b: np.ndarray) -> float:
        if kind == "grid":
            a, b = (x.reshape(2, 9).T for x in (a, b))
        parts = [((p - q) ** 2).sum() / (2 * 2.0**2) for p, q in zip(a, b, strict=True)]
        return float(sum(parts) if kind == "vector" else np.mean(parts))

    z, r = imagined.numpy(), real.numpy()
    margin, expected, far = 1.5, np.zeros((ROWS, STEPS + 1)), 0
    for k in range(1, STEPS + 1):
        for i in range(ROWS):
            other = energy(z[i - 1, 0], r[i, k])
            far += other > margin
            expected[i, k] = energy(z[i, k], r[i, k]) + max(0.0, margin - other)
    if kind == "vector":
        assert 0 < far < ROWS * STEPS
    term = loss("contrastive", model(kind), term="hinge", margin=margin, sigma=2.0)
    error = term(line(imagined), {"latent": target(real, mask)}, None)
    np.testing.assert_allclose(error.numpy(), expected * mask.numpy(), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("score", ["cosine", "bilinear"])
@pytest.mark.parametrize("projection", [0, 7])
def test_constant_encoder_does_not_reduce_the_loss(
    kind: LatentKind, score: str, projection: int
) -> None:
    same = random(*SHAPES[kind]).expand(ROWS, STEPS + 1, *SHAPES[kind])
    rows = {"latent": target(same)}
    find = loss("contrastive", model(kind), score=score, projection=projection)
    error = find(line(same), rows, None)[:, 1:]
    assert torch.allclose(error, torch.full_like(error, math.log(ROWS)), atol=1e-5)
    push = loss("contrastive", model(kind), term="hinge", margin=1.5, projection=projection)
    assert push(line(same), rows, None)[:, 1:].tolist() == [[1.5] * STEPS] * ROWS
    # Even dynamics that move away from the constant gain nothing.
    moved = line(latents(kind))
    assert torch.allclose(
        find(moved, rows, None)[:, 1:], torch.full_like(error, math.log(ROWS)), atol=1e-5
    )


def test_accurate_model_has_a_lower_loss_than_the_constant_encoder() -> None:
    good = torch.eye(ROWS)[:, None].expand(-1, STEPS + 1, -1)
    for term, constant in (("infonce", math.log(ROWS)), ("hinge", 1.0)):
        made = loss("contrastive", model(shape=(ROWS,)), term=term)
        error = made(line(good), {"latent": target(good)}, None)[:, 1:]
        assert float(error.max()) < 0.01 * constant


def test_position_repeated_in_m_rows_adds_log_m_and_no_gradient() -> None:
    # Rows 0 and 1 are the same position. Taking either for right is the softmax over positions
    # with the two as one class: the same but for log 2.
    real = latents("vector", 1)
    real[1] = real[0]
    imagined = latents("vector").requires_grad_()
    term = loss("contrastive", model(), temperature=1.0)
    mine = term(line(imagined), {"latent": target(real)}, None)[0, 1]
    a, b = imagined[0, 1], real[:, 1]
    scores = torch.cosine_similarity(a[None], b, dim=-1)
    either = scores.logsumexp(0) - scores[:2].logsumexp(0)
    assert float(mine.detach() - either.detach()) == pytest.approx(math.log(2), abs=1e-6)
    (one,) = torch.autograd.grad(mine, imagined)
    (other,) = torch.autograd.grad(either, imagined)
    assert bool(one.any())
    assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("term", ["infonce", "hinge"])
def test_masked_entries_have_no_gradient(term: str) -> None:
    imagined = latents("vector").requires_grad_()
    mask = imagined_mask(ROWS, STEPS)
    made = loss("contrastive", model(), term=term)
    made(line(imagined), {"latent": target(latents("vector", 1), mask)}, None).sum().backward()
    assert imagined.grad is not None
    assert torch.equal(imagined.grad[:, 1:].abs().sum(-1) > 0, mask[:, 1:] > 0)


def test_hinge_repels_the_initial_state_of_another_row() -> None:
    imagined = (0.1 * latents("vector")).requires_grad_()
    real = 0.1 * latents("vector", 1)
    mask = torch.zeros(ROWS, STEPS + 1)
    mask[2, 1] = 1
    made = loss("contrastive", model(), term="hinge", sigma=1.0)
    made(line(imagined), {"latent": target(real, mask)}, None).sum().backward()
    assert imagined.grad is not None
    # d/dz of 1 - |z - r|^2 / 2 is r - z, at row 1 before row 2.
    expected = (real[2, 1] - imagined[1, 0]).detach()
    assert torch.allclose(imagined.grad[1, 0], expected, atol=1e-6)
    assert imagined.grad[:, 0].abs().sum(-1).nonzero().flatten().tolist() == [1]


@pytest.mark.parametrize("term", ["infonce", "hinge"])
def test_loss_of_an_unroll_without_steps_is_zero(term: str) -> None:
    real = random(4, 1, 6)
    error = loss("contrastive", model(), term=term)(line(real), {"latent": target(real)}, None)
    assert error.tolist() == [[0.0]] * 4
