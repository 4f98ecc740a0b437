"""Any environment, seen with its last observations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from workbench.components import EnvironmentConfig, Positive, Slot
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.wrappers.history_environment import HistoryEnvironment


@register("environment", "history")
class History(EnvironmentConfig):
    """Any environment, seen with its last observations (MuZero, appendix E), oldest first.

    Planes are stacked along the channels, numbers joined; before the beginning all is 0. A game's
    position is shown as it was to whoever moved there, so that in a game of two the planes of own
    and of other pieces change places from one observation to the next.

    It has the discount of the environment inside, and the other way round: written at either of
    the two it holds for both.
    """

    of: Annotated[EnvironmentConfig, Slot("environment")] = Field(
        default_factory=TicTacToe, description="the environment that is seen"
    )
    frames: Positive = Field(4, description="observations shown, the present one among them")

    @model_validator(mode="wrap")
    @classmethod
    def _one_discount(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(data)
        world, here = made.of, made.discount
        inside = world.discount if "discount" in world.model_fields_set else None
        if not isinstance(data, dict) or here == inside:
            return made
        if "discount" not in made.model_fields_set:
            return made if inside is None else handler(data | {"discount": inside})
        if inside is not None:
            raise ValueError(
                f"environment 'history' has discount {here}, and environment '{world.component}' "
                f"in it {inside}; write it once"
            )
        options = {key: getattr(world, key) for key in world.model_fields_set}
        return handler(data | {"of": type(world).model_validate(options | {"discount": here})})

    def unshaped(self) -> History:
        return self.model_copy(update={"of": self.of.unshaped()})

    def spec(self) -> EnvironmentSpec:
        world = self.of.spec()
        channels, *board = world.observation
        return replace(
            world,
            name=f"history:{world.name}",
            observation=(self.frames * channels, *board),
            shows_past=world.shows_past or self.frames > 1,
            oracle=False,  # the world's own is asked about the world's states, and these are not
            enumerable=False,
        )

    def build(self) -> HistoryEnvironment:
        from workbench.environments.wrappers.history_environment import HistoryEnvironment

        return HistoryEnvironment(self.spec(), self.of.build(), self.frames)
