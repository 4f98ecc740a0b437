"""Reconstruction loss: error of the decoded observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from typing_extensions import override

from workbench.components import Fraction, LossConfig
from workbench.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel
    from workbench.types import Plan, Target, Unroll


@register("loss", "reconstruction")
class Reconstruction(LossConfig):
    """Cross-entropy (binary planes) or squared error (shades, numbers) of the decoded observation.

    It is averaged over the entries of an observation, at every step from the first.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"observation"})
    targets: ClassVar[frozenset[str]] = frozenset({"observation"})

    gradient_scale: Fraction = Field(
        1.0,
        description="factor of the gradient into the latent; the decoder's own gradient is not "
        "scaled (de Vries et al. 2021: 0.1)",
    )

    @override
    def build(self, model: WorldModel) -> Loss:
        import torch
        import torch.nn.functional as F

        from workbench.models.layers import as_input
        from workbench.models.world_model import scale_gradient
        from workbench.types import tree_map

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["observation"]
            # Steps are the outermost dimension, in the order of the latents.
            latent = tree_map(lambda *steps: torch.cat(steps), *unroll.latents)
            raw = model.decode(scale_gradient(latent, self.gradient_scale))
            seen = target.value.transpose(0, 1).flatten(0, 1)
            wanted = as_input(seen, raw.device)
            if seen.dtype == torch.bool:
                error = F.binary_cross_entropy_with_logits(raw, wanted, reduction="none")
            else:
                error = (raw - wanted) ** 2
            mean: Tensor = error.flatten(1).mean(1)
            return mean.view(len(unroll.latents), -1).T * target.mask

        return loss
