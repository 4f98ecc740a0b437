"""Descriptions of models that consist of dense layers, for evaluation without torch.

The tensors are the model's own parameters, so that a description stays valid during training.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workbench.models.value_encoding import ScalarLayout


@dataclass(frozen=True)
class DenseLayer:
    """x W^T + b, or with an offset per action, x W^T + b + e[a]."""

    weight: Tensor  # [out, in]
    offset: Tensor  # b [out]
    by_action: Tensor | None = None  # e [A, out]


@dataclass(frozen=True)
class DenseHead:
    """out(relu(hidden(s)))."""

    hidden: DenseLayer
    out: DenseLayer


@dataclass(frozen=True)
class DenseEncoder:
    """h: norm(layer(... relu(layer(o)))) of a flattened observation."""

    layers: tuple[DenseLayer, ...]
    norm: str  # kind of `LatentNorm`


@dataclass(frozen=True)
class DenseModel:
    """s' = norm(s + out(relu(hidden(s, a)))), with heads on s'. Latents are flat."""

    transition: DenseHead | None  # None: s' = s
    norm: str  # kind of `LatentNorm`
    state: DenseHead  # [A] logits, then the value in encoding `value`
    edge: DenseHead  # the reward in encoding `reward`, then the termination logit
    value: ScalarLayout
    reward: ScalarLayout
    discount: float
