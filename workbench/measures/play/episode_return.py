"""The return of greedy play."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from workbench.components import EnvironmentConfig
from workbench.contracts import Facts, Planner
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.play.decision_rules import by_search, greedy
from workbench.measures.play.episodes import AgentPlayer, Player, RandomPlayer, play, stream
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel


class ReturnOfPlay:
    """Mean undiscounted return over the same episodes, by search and by the bare prior.

    Every measurement has worlds of its own, so that those of the training stay where they are, and
    rewards and ends are the game's own, whatever training made of them.
    """

    def __init__(
        self,
        environment: EnvironmentConfig,
        episodes: int,
        max_steps: int,
        prior: bool,
        planners: Mapping[int, Planner] | None = None,
    ) -> None:
        """`planners` play too, by their simulations."""
        self._environment = environment.unshaped()
        self._episodes, self._max_steps = episodes, max_steps
        self._choices, self._planners = greedy(prior), planners or {}

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        players = {
            f"decision/{name}_return": AgentPlayer(agent, planner, choice)
            for name, choice in self._choices.items()
        } | {
            _at(many): AgentPlayer(agent, searched, by_search)
            for many, searched in self._planners.items()
        }
        return {name: self.mean_return(player) for name, player in players.items()}

    def facts(self) -> Facts:
        """Chance is uniformly random play of the same episodes."""
        level = {"chance": self.mean_return(RandomPlayer(stream("random")))}
        world = self._environment.build()
        begun = world.observe(world.reset(self._episodes, stream("episodes")))
        return Facts(
            digest(begun, self._max_steps),
            self._episodes,
            {},
            {f"decision/{name}_return": level for name in self._choices}
            | {_at(many): level for many in self._planners},
        )

    def mean_return(self, player: Player) -> float:
        """Over the episodes; one that takes too long counts with what it gained until then."""
        world, generator = self._environment.build(), stream("episodes")
        state = world.reset(self._episodes, generator)
        turn = torch.zeros(self._episodes, dtype=torch.int64)
        played = play(world, state, [player], turn, generator, self._max_steps)
        return float(played.gained.mean())


def _at(simulations: int) -> str:
    return str(Reading("decision/search_return", None, {"simulations": str(simulations)}))
