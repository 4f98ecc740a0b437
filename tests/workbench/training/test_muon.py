"""Muon's steps against singular values, scalars by hand and torch's own Muon."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from workbench.training.learner import Optimisers
from workbench.training.muon import orthogonalise
from workbench.training.settings import OptimiserConfig


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def _descend(weights: list[Tensor], gradients: list[Tensor], rate: float, decay: float) -> None:
    settings = OptimiserConfig(name="muon", learning_rate=rate, weight_decay=decay)
    loss = sum(((w * g).sum() for w, g in zip(weights, gradients, strict=True)), torch.zeros(()))
    Optimisers({"all": (weights, settings)}).step("all", loss)


@pytest.mark.parametrize("shape", [(2, 20, 20), (1, 16, 50), (3, 70, 30)])
def test_muon_keeps_singular_vectors_and_sets_singular_values_near_one(
    shape: tuple[int, ...],
) -> None:
    left, values, right = torch.linalg.svd(_random(*shape).double(), full_matrices=False)
    values = torch.linspace(1.0, 0.0, values.shape[-1]).double() ** 4 * 7.0
    made = orthogonalise((left * values @ right).float()).double()
    inner = left.mT @ made @ right.mT
    found = inner.diagonal(dim1=-2, dim2=-1)
    assert torch.allclose(inner, torch.diag_embed(found), atol=1e-4)
    assert torch.allclose(left @ inner @ right, made, atol=1e-4)
    # The polynomial by itself, three times, has 0.02 to 1 come between 0.681 and 1.203; and the
    # greatest of these values is more than half of what all are divided by.
    large = values >= 0.04 * values[0]
    assert found[:, large].min() > 0.68
    assert found[:, large].max() < 1.21
    assert found.min() > -1e-4


def test_muon_step_does_not_depend_on_the_gradient_norm_unless_tiny() -> None:
    matrix = _random(1, 30, 30)
    made = orthogonalise(matrix)
    assert torch.allclose(orthogonalise(matrix * 1e6), made, atol=1e-3)
    assert torch.allclose(orthogonalise(matrix * 1e-4), made, atol=1e-3)
    # Where no singular value is more than it: 30**(3/8) is what then divides by itself.
    small = orthogonalise(matrix * 1e-12).norm() / 3.4445**3
    assert small == pytest.approx(matrix.norm().item() * 1e-12 / 1e-7 * 30 ** (3 / 8), rel=1e-2)
    assert torch.equal(orthogonalise(torch.zeros(2, 17, 19)), torch.zeros(2, 17, 19))


def test_first_step_with_equal_singular_values_equals_the_scalar_iteration() -> None:
    size, rate, decay = 64, 0.01, 0.1
    turn = torch.linalg.qr(_random(size, size).double())[0].float()
    weight = _random(size, size, seed=1).requires_grad_()
    before = weight.detach().clone()
    _descend([weight], [3.0 * turn], rate, decay)
    # Fourth powers of 64 equal numbers s: (64 s^8)^(1/8) = 64^(1/8) s is what s is divided by.
    s = size ** (-1 / 8)
    for _ in range(3):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    moved = before * (1 - rate * decay) - rate * size**0.5 * s * turn
    assert torch.allclose(weight, moved, atol=1e-5)
    step = before * (1 - rate * decay) - weight
    assert step.square().mean().sqrt().item() == pytest.approx(rate, rel=0.3)


@pytest.mark.parametrize("shape", [(24, 80), (80, 24)])
def test_muon_follows_torch_muon(shape: tuple[int, int]) -> None:
    rate, decay = 0.002, 0.1
    own = _random(*shape, seed=1).requires_grad_()
    reference = own.detach().clone().requires_grad_()
    theirs = torch.optim.Muon(
        [reference], lr=5 * rate, weight_decay=decay / 5, adjust_lr_fn="match_rms_adamw"
    )
    settings = OptimiserConfig(name="muon", learning_rate=rate, weight_decay=decay)
    optimisers = Optimisers({"all": ([own], settings)})
    for step in range(6):
        gradient = _random(*shape, seed=10 + step)
        before, theirs_before = own.detach().clone(), reference.detach().clone()
        optimisers.step("all", (own * gradient).sum())
        reference.grad = gradient
        theirs.step()  # type: ignore[no-untyped-call]
        ours, other = own.detach() - before, reference.detach() - theirs_before
        # Singular values of both lie between 0.68 and 1.21 of what they would be exactly, for none
        # of such a gradient is small: so far apart they can be at most.
        assert torch.cosine_similarity(ours.flatten(), other.flatten(), 0) > 0.96
        assert 0.68 / 1.21 < ours.norm() / other.norm() < 1.21 / 0.68


def test_convolution_kernels_and_stacked_matrices_are_orthogonalised_separately() -> None:
    kernels, stacked = _random(20, 8, 3, 3), _random(3, 17, 18, seed=1)
    weights = [
        kernels.clone().to(memory_format=torch.channels_last).requires_grad_(),
        stacked.clone().requires_grad_(),
    ]
    _descend(weights, [_random(20, 8, 3, 3, seed=2), _random(3, 17, 18, seed=3)], 0.1, 0.0)
    flat = kernels.flatten(1).clone().requires_grad_()
    _descend([flat], [_random(20, 8, 3, 3, seed=2).flatten(1)], 0.1, 0.0)
    assert torch.allclose(weights[0].flatten(1), flat, atol=1e-5)
    for index in range(3):
        single = stacked[index].clone().requires_grad_()
        _descend([single], [_random(3, 17, 18, seed=3)[index]], 0.1, 0.0)
        assert torch.allclose(weights[1][index], single, atol=1e-5)


def test_vectors_and_narrow_matrices_use_adamw() -> None:
    shapes = [(30,), (), (15, 40), (40, 4)]
    gradients = [_random(*shape, seed=5) for shape in shapes]
    alone = [_random(*shape).requires_grad_() for shape in shapes]
    beside = [_random(*shape).requires_grad_() for shape in shapes]
    _descend([*beside, _random(16, 16).requires_grad_()], [*gradients, _random(16, 16)], 0.01, 0.1)
    _descend(alone, gradients, 0.01, 0.1)
    for one, other, start, gradient in zip(
        alone, beside, (_random(*shape) for shape in shapes), gradients, strict=True
    ):
        assert torch.equal(one, other)
        # The first step of Loshchilov & Hutter 2019: m / sqrt(v) is the gradient's sign.
        moved = start * (1 - 0.01 * 0.1) - 0.01 * gradient / (gradient.abs() + 1e-8)
        assert torch.allclose(one, moved, atol=1e-6)


def test_muon_resumes_from_a_checkpoint_exactly() -> None:
    settings = OptimiserConfig(name="muon", learning_rate=0.05)
    ends = []
    for stopped in (False, True):
        weights = [_random(20, 20).requires_grad_(), _random(20).requires_grad_()]
        optimisers = Optimisers({"all": (weights, settings)})
        for step in range(5):
            if stopped and step == 3:
                saved = optimisers.state_dict()
                optimisers = Optimisers({"all": (weights, settings)})
                optimisers.load_state_dict(saved)
            square, vector = weights
            optimisers.step("all", (square @ vector).square().sum())
        ends.append([weight.detach() for weight in weights])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_weight_without_gradient_is_unchanged() -> None:
    used, unused = _random(20, 20).requires_grad_(), _random(20, 20).requires_grad_()
    settings = OptimiserConfig(name="muon")
    Optimisers({"all": ([used, unused], settings)}).step("all", used.sum())
    assert torch.equal(unused, _random(20, 20))
    assert not torch.equal(used, _random(20, 20))
