"""Self-consistency loss: value against predicted reward plus next value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from workbench.components import LossConfig
from workbench.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.config import TrialConfig
    from workbench.contracts import Loss
    from workbench.models.world_model import WorldModel
    from workbench.types import Plan, Target, Unroll


@register("loss", "self_consistency")
class SelfConsistency(LossConfig):
    """Squared error of v against r + gamma v one unrolled step later (SC-direct, Farquhar 2021).

    (sg(r^{k+1} + gamma v^{k+1}) - v^k)^2 (arXiv 2110.12840). The term of step k is
    stored at k + 1 and masked like the value target there. The loss therefore reads a value past
    the end of the episode only if that value is trained. An unroll has as many steps as a training
    window, and its gradient is not scaled.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"policy", "value", "reward"})
    targets: ClassVar[frozenset[str]] = frozenset({"value"})

    actions: Literal["policy", "real"] = Field(
        "policy",
        description="actions of the unroll: sampled from the model's policy (the paper), or the "
        "executed ones",
    )

    @override
    def incompatibilities(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().incompatibilities(trial)
        if self.actions == "policy" and getattr(trial.procedure, "past_end", None) == "mask":
            yield (
                "loss 'self_consistency' along imagined moves meets ends that the real line has "
                "not reached, and reads the value there, which `procedure.past_end: mask` does not "
                "teach: use `past_end: absorbing`, or `actions: real`"
            )

    @override
    def build(self, model: WorldModel) -> Loss:
        import torch.nn.functional as F

        from workbench.losses.latents.imagination import unroll_policy

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            mask = targets["value"].mask
            steps = len(unroll.latents) - 1
            line = (
                unroll if self.actions == "real" else unroll_policy(model, unroll.latents[0], steps)
            )
            if line.edges is None:
                return 0 * mask
            value = line.heads.value
            onward = line.edges.reward + line.edges.discount * value[:, 1:]
            error = (onward.detach() - value[:, :-1]) ** 2
            return F.pad(error, (1, 0)) * mask

        return loss
