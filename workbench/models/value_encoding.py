"""How a scalar is written as a network's output: plainly, or as a distribution over atoms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.models.scalar_head import ScalarHead

EPSILON = 1e-3


def contract(x: Tensor) -> Tensor:
    """h(x) = sign(x)(sqrt(|x| + 1) - 1) + eps x (Pohlen et al. 2018, arXiv 1805.11593)."""
    return x.sign() * ((x.abs() + 1).sqrt() - 1) + EPSILON * x


def expand(y: Tensor) -> Tensor:
    """The inverse of `contract`, for negative numbers too."""
    # (root - 1) / 2 eps, written so that single precision loses nothing near 0.
    size = y.abs() + (1 + EPSILON)
    root = 2 * size / ((size * (4 * EPSILON) + 1).sqrt() + 1)
    return (root**2 - 1).copysign(y)


def symlog(x: Tensor) -> Tensor:
    """sign(x) ln(|x| + 1) (Hafner et al. 2023, arXiv 2301.04104, eq. 9)."""
    return x.sign() * x.abs().log1p()


def symexp(y: Tensor) -> Tensor:
    """The inverse of `symlog`."""
    return y.sign() * y.abs().expm1()


def _same(x: Tensor) -> Tensor:
    return x


Transform = Callable[[Tensor], Tensor]

TRANSFORMS: Mapping[str, tuple[Transform, Transform]] = {
    "h": (contract, expand),
    "symlog": (symlog, symexp),
    "none": (_same, _same),
}
"""Each with its inverse."""


def two_hot(x: Tensor, low: float, high: float, atoms: int) -> Tensor:
    """Weights [..., atoms] over evenly spaced atoms whose mean is `x` [...], if in range."""
    position = (x.clamp(low, high) - low) * ((atoms - 1) / (high - low))
    places = torch.arange(atoms, dtype=x.dtype, device=x.device)
    return (1 - (position[..., None] - places).abs()).clamp(min=0)


@dataclass(frozen=True)
class Scale:
    """How a scalar is read: plainly or as the mean of a softmax over atoms, then transformed."""

    size: int
    """Number of network outputs."""
    transform: str
    """Of `TRANSFORMS`, whose inverse is applied."""
    support: Tensor
    """[size] the atoms; empty for a plain output."""


class Codec(Protocol):
    """Between a scalar and the raw network output that stands for it."""

    size: int
    """Number of network outputs."""
    scale: Scale
    """What `decode` does, in numbers."""

    def decode(self, raw: Tensor) -> Tensor:
        """[..., size] -> [...]"""
        ...

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """[..., size], [...] -> [...]"""
        ...


class Scalar:
    """One output, mean squared error."""

    size = 1
    scale = Scale(1, "none", torch.empty(0))

    def decode(self, raw: Tensor) -> Tensor:
        return raw.squeeze(-1)

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw.squeeze(-1) - target) ** 2


class Symlog:
    """One output, mean squared error of the symlog (DreamerV3, eq. 9, without its factor 1/2)."""

    size = 1
    scale = Scale(1, "symlog", torch.empty(0))

    def decode(self, raw: Tensor) -> Tensor:
        return symexp(raw.squeeze(-1))

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw.squeeze(-1) - symlog(target)) ** 2


class Categorical:
    """A softmax over atoms evenly spaced between f(low) and f(high); two-hot cross-entropy.

    f is h (MuZero, appendix F), symlog or the identity; the atoms reach exactly from `low` to
    `high`.
    """

    def __init__(self, low: float, high: float, atoms: int, transform: str = "h") -> None:
        self._squeeze, self._stretch = TRANSFORMS[transform]
        ends = self._squeeze(torch.tensor([low, high], dtype=torch.float64))
        self.size = atoms
        self._low, self._high = ends.tolist()
        support = torch.linspace(self._low, self._high, atoms, dtype=torch.float64).float()
        self.scale = Scale(atoms, transform, support)

    def decode(self, raw: Tensor) -> Tensor:
        return self._stretch(raw.softmax(-1) @ self.scale.support.to(raw.device))

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        wanted = two_hot(self._squeeze(target), self._low, self._high, self.size)
        return -(wanted * F.log_softmax(raw, -1)).sum(-1)


def codec(head: ScalarHead) -> Codec:
    """What a scalar head's configuration asks for."""
    if head.kind == "scalar":
        return Scalar()
    if head.kind == "symlog":
        return Symlog()
    return Categorical(head.low, head.high, head.atoms, head.transform)
