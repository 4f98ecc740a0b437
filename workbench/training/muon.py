"""Steps of equal length in all directions of a matrix: Muon (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, split
from torch.optim import Optimizer

MOMENTUM = 0.95
NARROW = 16
"""Rows or columns. Of fewer are what moves and heads bring, which are not hidden layers."""
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
"""Jordan's polynomial, which is steepest at 0 and keeps within 0.7 and 1.2 what has come there."""
ITERATIONS = 3
SMALL = 1e-7
"""Gradients of such a norm are steps no more."""


class Muon(Optimizer):
    """Nesterov's momentum M, its singular values made alike.

    W <- (1 - lr * weight_decay) W - lr * sqrt(max(rows, columns)) * `orthogonal`(M)

    An entry of that step is `lr` in the root mean square, as AdamW's are at first, so that both
    take one step size. (`torch.optim.Muon` by "match_rms_adamw" takes a fifth of it. It computes in
    bfloat16, a matrix at a time, which without such units takes tens of milliseconds.)
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})

    @staticmethod
    def takes(weight: Tensor) -> bool:
        """Whether it is for this optimiser: a matrix, several, or kernels, and none narrow."""
        return weight.dim() >= 2 and min(_matrices(weight).shape[1:]) >= NARROW

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(weights, self._directions(weights), alpha=-group["lr"])

    def _directions(self, weights: list[Tensor]) -> list[Tensor]:
        """What each weight is to go against, for a step size of 1."""
        gradients = [cast(Tensor, weight.grad) for weight in weights]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = [_matrices(u) for u in torch._foreach_lerp(gradients, momenta, MOMENTUM)]
        alike: dict[torch.Size, list[int]] = {}
        for number, matrices in enumerate(ahead):
            alike.setdefault(matrices.shape[1:], []).append(number)
        for shape, numbers in alike.items():
            steps = orthogonal(torch.cat([ahead[number] for number in numbers]))
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
    """[count, rows, columns] of a matrix, of several, or of a convolution's kernels."""
    return weight if weight.dim() == 3 else weight.flatten(1)[None]


def orthogonal(matrices: Tensor) -> Tensor:
    """U V^T of each matrix U S V^T, nearly. [count, rows, columns]

    A polynomial of the singular values that brings them near 1, three times (Newton and Schulz's
    method). Jordan divides by the norm of all entries first, and goes five times. The fourth powers
    of the singular values are at hand, and the norm of those is a nearer bound of the greatest one.
    What that leaves between 0.02 and 1 comes between 0.68 and 1.21.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + SMALL)
    gram = x @ x.mT
    square = gram @ gram
    # No less than where all singular values are alike, so that what is all but 0 stays small.
    fourth = square.norm(dim=(1, 2), keepdim=True).clamp(min=x.shape[1] ** -1.5)
    x, gram, square = x / fourth.sqrt().sqrt(), gram / fourth.sqrt(), square / fourth
    for iteration in range(ITERATIONS):
        if iteration:
            gram = x @ x.mT
            square = gram @ gram
        x = torch.baddbmm(x, CUBIC * gram + QUINTIC * square, x, beta=LINEAR)
    return x.mT if tall else x
