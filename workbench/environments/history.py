"""Any environment, observed with its last few observations stacked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from typing_extensions import override

from workbench.components import ComponentField, Count, EnvironmentConfig
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.registry import register
from workbench.types import EnvironmentSpec

if TYPE_CHECKING:
    from workbench.environments.wrappers.history_environment import HistoryEnvironment


@register("environment", "history")
class History(EnvironmentConfig):
    """Any environment with its last observations stacked, oldest first (MuZero, appendix E).

    Planes are stacked along the channels and vectors are concatenated. Frames before the start of
    the episode are 0. Each frame is the observation of the player to move at that time, so in a
    two-player game the planes of own and opponent pieces alternate from frame to frame.

    The wrapper and the wrapped environment share one discount, which can be set in either.
    """

    environment: Annotated[EnvironmentConfig, ComponentField("environment")] = Field(
        default_factory=TicTacToe, description="wrapped environment"
    )
    frames: Count = Field(
        4, description="number of stacked observations, including the current one"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _one_discount(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        config = handler(data)
        wrapped, outer = config.environment, config.discount
        inner = wrapped.discount if "discount" in wrapped.model_fields_set else None
        if not isinstance(data, dict) or outer == inner:
            return config
        if "discount" not in config.model_fields_set:
            return config if inner is None else handler(data | {"discount": inner})
        if inner is not None:
            raise ValueError(
                f"environment 'history' has discount {outer}, but the wrapped environment "
                f"'{wrapped.component}' has discount {inner}; set only one of them"
            )
        options = {key: getattr(wrapped, key) for key in wrapped.model_fields_set}
        return handler(
            data | {"environment": type(wrapped).model_validate(options | {"discount": outer})}
        )

    @override
    def evaluation_config(self) -> History:
        return self.model_copy(update={"environment": self.environment.evaluation_config()})

    @override
    def spec(self) -> EnvironmentSpec:
        wrapped = self.environment.spec()
        channels, *board = wrapped.observation
        return replace(
            wrapped,
            name=f"history:{wrapped.name}",
            observation=(self.frames * channels, *board),
            observes_history=wrapped.observes_history or self.frames > 1,
            oracle=False,  # the wrapped environment's oracle does not accept `HistoryState`
            enumerable=False,
        )

    @override
    def build(self) -> HistoryEnvironment:
        from workbench.environments.wrappers.history_environment import HistoryEnvironment

        return HistoryEnvironment(self.spec(), self.environment.build(), self.frames)
