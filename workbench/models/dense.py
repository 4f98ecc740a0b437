"""Models of nothing but dense layers, written down so that they can be evaluated without torch.

The tensors are the model's own parameters: what is written down stays true as it learns.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workbench.models.value_encoding import Scale


@dataclass(frozen=True)
class DenseLayer:
    """x W^T + b, or with an offset for every action, x W^T + b + e[a]"""

    weight: Tensor  # [out, in]
    offset: Tensor  # b [out]
    by_action: Tensor | None = None  # e [A, out]


@dataclass(frozen=True)
class DenseHead:
    """out(relu(hidden(s)))"""

    hidden: DenseLayer
    out: DenseLayer


@dataclass(frozen=True)
class DenseEncoder:
    """h: norm(layer(... relu(layer(o)))) of a flattened observation."""

    layers: tuple[DenseLayer, ...]
    norm: str  # as of `LatentNorm`


@dataclass(frozen=True)
class DenseModel:
    """s' = norm(s + out(relu(hidden(s, a)))), and heads that read s'. Latents are flat."""

    transition: DenseHead | None  # None: s' = s
    norm: str  # as of `LatentNorm`
    state: DenseHead  # [A] logits, then the value as `value` writes it
    edge: DenseHead  # the reward as `reward` writes it, then the logit of the termination
    value: Scale
    reward: Scale
    discount: float
