"""The return of greedy play."""

from __future__ import annotations

import torch

from workbench.components import EnvironmentConfig
from workbench.contracts import Facts, Planner
from workbench.measures.frozen.digest import digest
from workbench.measures.play.choices import greedy
from workbench.measures.play.episodes import AgentPlayer, Player, RandomPlayer, play, stream
from workbench.models.world_model import WorldModel


class ReturnOfPlay:
    """Mean undiscounted return over the same episodes, by search and by the bare prior.

    Every measurement has worlds of its own, so that those of the training stay where they are.
    """

    def __init__(
        self, environment: EnvironmentConfig, episodes: int, max_steps: int, prior: bool
    ) -> None:
        self._environment = environment
        self._episodes, self._max_steps = episodes, max_steps
        self._choices = greedy(prior)

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        return {
            f"decision/{name}_return": self.mean_return(AgentPlayer(agent, planner, choice))
            for name, choice in self._choices.items()
        }

    def facts(self) -> Facts:
        """Chance is uniformly random play of the same episodes."""
        level = {"chance": self.mean_return(RandomPlayer(stream("random")))}
        world = self._environment.build()
        begun = world.observe(world.reset(self._episodes, stream("episodes")))
        return Facts(
            digest(begun, self._max_steps),
            self._episodes,
            {},
            {f"decision/{name}_return": level for name in self._choices},
        )

    def mean_return(self, player: Player) -> float:
        """Over the episodes; one that takes too long counts with what it gained until then."""
        world, generator = self._environment.build(), stream("episodes")
        state = world.reset(self._episodes, generator)
        turn = torch.zeros(self._episodes, dtype=torch.int64)
        played = play(world, state, [player], turn, generator, self._max_steps)
        return float(played.gained.mean())
