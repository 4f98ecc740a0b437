"""Error of the observation that is read back from a latent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.components import Fraction, LossConfig
from workbench.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel
    from workbench.types import Plan, Target, Unroll


@register("loss", "reconstruction")
class Reconstruction(LossConfig):
    """Cross-entropy (planes of 0 and 1) or squared error (shades, numbers) of what is decoded.

    The mean over an observation's entries, at every step from the first.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"observation"})
    targets: ClassVar[frozenset[str]] = frozenset({"observation"})

    gradient_scale: Fraction = Field(
        1.0,
        description="factor of the gradient into the latent; the decoder gets its own whole "
        "(de Vries et al. 2021: 0.1)",
    )

    def build(self, model: WorldModel) -> Loss:
        import torch
        import torch.nn.functional as F

        from workbench.models.layers import as_input
        from workbench.models.world_model import scale_gradient
        from workbench.types import map_tensors

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            target = targets["observation"]
            # Steps outermost, for that is how the latents come.
            latent = map_tensors(lambda *steps: torch.cat(steps), *unroll.latents)
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
