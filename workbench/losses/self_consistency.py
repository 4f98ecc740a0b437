"""Error of the model's value against its own reward and value one step on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

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
    """Squared error of v to r + gamma v one step on, in imagination (SC-direct, Farquhar 2021).

    (sg(r^{k+1} + gamma v^{k+1}) - v^k)^2 (arXiv 2110.12840), which stands at step k + 1 and has
    the mask of the value there: the value past the end is relied on where it is learned. Imagined
    lines are as long as the unrolled ones and their gradient is not scaled on the way back.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"policy", "value", "reward"})
    targets: ClassVar[frozenset[str]] = frozenset({"value"})

    actions: Literal["policy", "real"] = Field(
        "policy",
        description="which line: moves drawn from the model's own policy (the paper), or those "
        "that were played",
    )

    def misfits(self, trial: TrialConfig) -> Iterator[str]:
        yield from super().misfits(trial)
        if self.actions == "policy" and getattr(trial.procedure, "terminal", None) == "mask":
            yield (
                "loss 'self_consistency' along imagined moves meets ends that the real line has "
                "not reached, and reads the value there, which `procedure.terminal: mask` does not "
                "teach: use `terminal: absorbing`, or `actions: real`"
            )

    def build(self, model: WorldModel) -> Loss:
        import torch.nn.functional as F

        from workbench.losses.latents.imagination import imagine

        def loss(unroll: Unroll, targets: Mapping[str, Target], plan: Plan | None) -> Tensor:
            mask = targets["value"].mask
            steps = len(unroll.latents) - 1
            line = unroll if self.actions == "real" else imagine(model, unroll.latents[0], steps)
            if line.edges is None:
                return 0 * mask
            value = line.heads.value
            onward = line.edges.reward + line.edges.discount * value[:, 1:]
            error = (onward.detach() - value[:, :-1]) ** 2
            return F.pad(error, (1, 0)) * mask

        return loss
