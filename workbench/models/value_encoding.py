"""Encodings of scalars as network outputs: one number, or a distribution over atoms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.models.scalar_head import ScalarHead

EPSILON = 1e-3


def h_transform(x: Tensor) -> Tensor:
    """h(x) = sign(x)(sqrt(|x| + 1) - 1) + eps x (Pohlen et al. 2018, arXiv 1805.11593)."""
    return x.sign() * ((x.abs() + 1).sqrt() - 1) + EPSILON * x


def inverse_h_transform(y: Tensor) -> Tensor:
    """Inverse of `h_transform`, also for negative numbers."""
    # (root - 1) / 2 eps, in a form that keeps single precision near 0.
    size = y.abs() + (1 + EPSILON)
    root = 2 * size / ((size * (4 * EPSILON) + 1).sqrt() + 1)
    return (root**2 - 1).copysign(y)


def symlog(x: Tensor) -> Tensor:
    """sign(x) ln(|x| + 1) (Hafner et al. 2023, arXiv 2301.04104, eq. 9)."""
    return x.sign() * x.abs().log1p()


def symexp(y: Tensor) -> Tensor:
    """Inverse of `symlog`."""
    return y.sign() * y.abs().expm1()


def _same(x: Tensor) -> Tensor:
    return x


Transform = Callable[[Tensor], Tensor]

TRANSFORMS: Mapping[str, tuple[Transform, Transform]] = {
    "h": (h_transform, inverse_h_transform),
    "symlog": (symlog, symexp),
    "none": (_same, _same),
}
"""Each transform with its inverse."""


def two_hot(x: Tensor, low: float, high: float, atoms: int) -> Tensor:
    """[..., atoms] Weights of evenly spaced atoms whose mean is `x` [...], if in range."""
    position = (x.clamp(low, high) - low) * ((atoms - 1) / (high - low))
    places = torch.arange(atoms, dtype=x.dtype, device=x.device)
    return (1 - (position[..., None] - places).abs()).clamp(min=0)


@dataclass(frozen=True)
class ScalarLayout:
    """Layout of a scalar output: plain, or the mean of a softmax over atoms, then transformed."""

    size: int
    """Number of network outputs."""
    transform: str
    """Key of `TRANSFORMS`, whose inverse is applied."""
    support: Tensor
    """[size] atoms; empty for a plain output."""


class ValueEncoding(Protocol):
    """Encoding of a scalar as raw network outputs."""

    size: int
    """Number of network outputs."""
    scale: ScalarLayout
    """Layout that `decode` applies, as numbers."""
    bounds: tuple[float, float] | None
    """Smallest and largest scalar that it can express; None if all can be."""

    def decode(self, raw: Tensor) -> Tensor:
        """Decode raw outputs [..., size] to scalars [...]."""
        ...

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of raw outputs [..., size] against scalars [...]: [...]."""
        ...


class Scalar:
    """One output, mean squared error."""

    size = 1
    scale = ScalarLayout(1, "none", torch.empty(0))
    bounds: tuple[float, float] | None = None

    def decode(self, raw: Tensor) -> Tensor:
        """Decode raw outputs [..., size] to scalars [...]."""
        return raw.squeeze(-1)

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss [...] of raw outputs [..., size] against scalars [...]."""
        return (raw.squeeze(-1) - target) ** 2


class Symlog:
    """One output, mean squared error of the symlog (DreamerV3, eq. 9, without its factor 1/2)."""

    size = 1
    scale = ScalarLayout(1, "symlog", torch.empty(0))
    bounds: tuple[float, float] | None = None

    def decode(self, raw: Tensor) -> Tensor:
        """Decode raw outputs [..., size] to scalars [...]."""
        return symexp(raw.squeeze(-1))

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss [...] of raw outputs [..., size] against scalars [...]."""
        return (raw.squeeze(-1) - symlog(target)) ** 2


class Categorical:
    """Softmax over atoms evenly spaced between f(low) and f(high); two-hot cross-entropy.

    f is h (MuZero, appendix F), symlog or the identity; the atoms cover exactly `low` to `high`.
    """

    def __init__(self, low: float, high: float, atoms: int, transform: str = "h") -> None:
        self._squeeze, self._stretch = TRANSFORMS[transform]
        ends = self._squeeze(torch.tensor([low, high], dtype=torch.float64))
        self.size = atoms
        self.bounds: tuple[float, float] | None = (low, high)
        self._low, self._high = ends.tolist()
        support = torch.linspace(self._low, self._high, atoms, dtype=torch.float64).float()
        self.scale = ScalarLayout(atoms, transform, support)

    def decode(self, raw: Tensor) -> Tensor:
        """Decode raw outputs [..., size] to scalars [...]."""
        return self._stretch(raw.softmax(-1) @ self.scale.support.to(raw.device))

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss [...] of raw outputs [..., size] against scalars [...]."""
        wanted = two_hot(self._squeeze(target), self._low, self._high, self.size)
        return -(wanted * F.log_softmax(raw, -1)).sum(-1)


def value_encoding(head: ScalarHead) -> ValueEncoding:
    """Return the encoding that a scalar head's configuration describes."""
    if head.kind == "scalar":
        return Scalar()
    if head.kind == "symlog":
        return Symlog()
    return Categorical(head.low, head.high, head.atoms, head.transform)
