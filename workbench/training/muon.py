"""The optimiser Muon: orthogonalised momentum (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, split
from torch.optim import Optimizer
from typing_extensions import override

MOMENTUM = 0.95
NARROW = 16
"""Minimum number of rows and columns; action inputs and output heads are narrower."""
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
"""Coefficients of Jordan's polynomial: steepest at 0, and values in [0.7, 1.2] stay there."""
ITERATIONS = 3
SMALL = 1e-7
"""Guard against a division by a zero norm."""


class Muon(Optimizer):
    """Nesterov momentum M with all singular values near 1.

    W <- (1 - lr * weight_decay) W - lr * sqrt(max(rows, columns)) * `orthogonal`(M)

    The RMS of a step's entries is `lr`, as in the first steps of AdamW, so that both optimisers
    share a learning rate. With "match_rms_adamw", a step of `torch.optim.Muon` has a fifth of
    this length. That optimiser computes one matrix at a time in bfloat16, which takes tens of
    milliseconds on a CPU without bfloat16 instructions.
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})

    @staticmethod
    def applies_to(weight: Tensor) -> bool:
        """Whether Muon applies: matrices, stacks of matrices or kernels that are not narrow."""
        return weight.dim() >= 2 and min(_matrices(weight).shape[1:]) >= NARROW

    @torch.no_grad()
    @override
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(weights, self._directions(weights), alpha=-group["lr"])

    def _directions(self, weights: list[Tensor]) -> list[Tensor]:
        """Return the descent direction of each weight, for a learning rate of 1."""
        gradients = [cast(Tensor, weight.grad) for weight in weights]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = [_matrices(u) for u in torch._foreach_lerp(gradients, momenta, MOMENTUM)]
        alike: dict[torch.Size, list[int]] = {}
        for number, matrices in enumerate(ahead):
            alike.setdefault(matrices.shape[1:], []).append(number)
        for shape, numbers in alike.items():
            steps = orthogonalise(torch.cat([ahead[number] for number in numbers]))
            steps *= max(shape) ** 0.5
            counts = [len(ahead[number]) for number in numbers]
            for number, own in zip(numbers, split(steps, counts), strict=True):
                ahead[number] = own.reshape(weights[number].shape)
        return ahead

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        return momentum


def _matrices(weight: Tensor) -> Tensor:
    """[count, rows, columns] View a matrix, a stack of matrices or kernels as matrices."""
    return weight if weight.dim() == 3 else weight.flatten(1)[None]


def orthogonalise(matrices: Tensor) -> Tensor:
    """[count, rows, columns] Approximate U V^T for each matrix U S V^T.

    A polynomial moves the singular values towards 1, in three iterations (Newton-Schulz). Jordan
    divides by the Frobenius norm first and needs five. Here the norm of the fourth powers of the
    singular values, a tighter bound of the largest one, scales the matrix. Singular values between
    0.02 and 1 end between 0.68 and 1.21.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + SMALL)
    gram = x @ x.mT
    square = gram @ gram
    # Lower bound: the value for equal singular values, so that tiny matrices stay small.
    fourth = square.norm(dim=(1, 2), keepdim=True).clamp(min=x.shape[1] ** -1.5)
    x, gram, square = x / fourth.sqrt().sqrt(), gram / fourth.sqrt(), square / fourth
    for iteration in range(ITERATIONS):
        if iteration:
            gram = x @ x.mT
            square = gram @ gram
        x = torch.baddbmm(x, CUBIC * gram + QUINTIC * square, x, beta=LINEAR)
    return x.mT if tall else x
