"""Return of greedy play."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from workbench.components import EnvironmentConfig
from workbench.contracts import MeasureInfo, Planner
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.play.decision_rules import decision_rules, search_action
from workbench.measures.play.episodes import (
    AgentPlayer,
    Player,
    RandomPlayer,
    fixed_generator,
    play,
)
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel


class EpisodeReturn:
    """Mean undiscounted return over fixed episodes, of the search and of the prior alone.

    Every measurement builds its own environments, so that those of the training are unaffected.
    Rewards and terminations are those of the original environment, even if training modifies them.
    """

    def __init__(
        self,
        environment: EnvironmentConfig,
        episodes: int,
        max_steps: int,
        prior: bool,
        planners: Mapping[int, Planner] | None = None,
    ) -> None:
        """`planners` play too; keys are their numbers of simulations."""
        self._environment = environment.evaluation_config()
        self._episodes, self._max_steps = episodes, max_steps
        self._choices, self._planners = decision_rules(prior), planners or {}

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        players = {
            f"decision/{name}_return": AgentPlayer(agent, planner, choice)
            for name, choice in self._choices.items()
        } | {
            _at(many): AgentPlayer(agent, searched, search_action)
            for many, searched in self._planners.items()
        }
        return {name: self.mean_return(player) for name, player in players.items()}

    def info(self) -> MeasureInfo:
        """Return levels; the naive one is uniformly random play of the same episodes."""
        level = {"naive": self.mean_return(RandomPlayer(fixed_generator("random")))}
        environment = self._environment.build()
        begun = environment.observe(environment.reset(self._episodes, fixed_generator("episodes")))
        return MeasureInfo(
            digest(begun, self._max_steps),
            self._episodes,
            {},
            {f"decision/{name}_return": level for name in self._choices}
            | {_at(many): level for many in self._planners},
        )

    def mean_return(self, player: Player) -> float:
        """Return the mean over the episodes; a truncated one counts with its return so far."""
        environment, generator = self._environment.build(), fixed_generator("episodes")
        state = environment.reset(self._episodes, generator)
        turn = torch.zeros(self._episodes, dtype=torch.int64)
        played = play(environment, state, [player], turn, generator, self._max_steps)
        return float(played.gained.mean())


def _at(simulations: int) -> str:
    return str(Reading("decision/search_return", None, {"simulations": str(simulations)}))
