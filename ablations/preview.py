"""The plan as a user sees it before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ablations.config_diff import differences
from ablations.plan import Plan, ReplaySize, left_behind, older_code, seconds_left, smallest_p
from ablations.study import Study
from workbench.config import TrialConfig
from workbench.metrics import METRICS, Reading, parse

STATES = {
    "new": Text("to run"),
    "partial": Text("to go on", "yellow"),
    "done": Text("done", "green"),
    "failed": Text("failed, to be tried again", "red"),
}


def show_plan(
    console: Console,
    plan: Plan,
    counts: Mapping[str, int],
    concurrent: int | None,
    memory: Mapping[str, ReplaySize],
) -> None:
    """Print the conditions, the trials with their states, and what the study can show."""
    study = plan.study
    console.print(Text(f"\n{study.name}", "bold"), Text(study.question))
    console.print(_conditions(plan, counts))
    console.print(_trials(plan))
    for line in [*_notes(plan, concurrent), *_replay_line(memory, concurrent), *_warnings(study)]:
        console.print(line, highlight=False)


def _conditions(plan: Plan, counts: Mapping[str, int]) -> Table:
    study = plan.study
    table = Table(title="Conditions", title_justify="left", box=None, pad_edge=False)
    table.add_column("condition", overflow="fold")
    if study.match is not None:
        table.add_column(f"{study.match.part} parameters", justify="right")
    table.add_column(f"what differs from '{study.baseline}'", overflow="fold")
    for condition in study.conditions:
        sizes = [f"{counts[condition.name]:,}"] if counts else []
        changes = differences(study, condition)
        table.add_row(Text(condition.name), *sizes, Text("\n".join(changes) or "-"))
    return table


def _trials(plan: Plan) -> Table:
    states = plan.states()
    table = Table(title="Trials", title_justify="left", box=None, pad_edge=False)
    for column in ("trial", "condition", "seed", "state"):
        table.add_column(column, justify="right" if column == "seed" else "left")
    for trial in plan.trials:
        state = STATES[states[trial.id]]
        table.add_row(trial.id, Text(trial.condition), str(trial.seed), state)
    return table


def _notes(plan: Plan, concurrent: int | None) -> list[str]:
    study, states = plan.study, list(plan.states().values())
    seeds, missing = len(study.seeds), plan.missing()
    counted = {state: states.count(state) for state in STATES if state in states}
    summary = ", ".join(f"{n} {STATES[state].plain}" for state, n in counted.items())
    notes = [
        f"{len(plan.trials)} trials = {len(study.conditions)} conditions x {seeds} seeds: "
        f"{summary}",
        f"Smallest two-sided p that {seeds} paired seeds can reach (exact sign-flip): "
        f"{smallest_p(seeds):.3g}",
    ]
    behind = left_behind(plan)
    if behind:
        notes.insert(
            1,
            f"  {behind} finished {'trial' if behind == 1 else 'trials'} in {plan.folder.name} "
            "belong to an earlier version of this study; they stay, and the report omits them.",
        )
    older = older_code(plan)
    if older:
        notes.insert(
            1,
            f"  {older} of the finished trials {'comes' if older == 1 else 'come'} from another "
            "version of the code and will not be repeated; remove their folders to repeat them.",
        )
    compared = max(1, len(study.comparisons))
    if smallest_p(seeds) * compared > 0.05:
        least = next(n for n in count(seeds) if smallest_p(n) * compared <= 0.05)
        held = f" over {compared} comparisons (Holm)" if compared > 1 else ""
        notes.append(
            f"  p < 0.05 cannot be reached with {seeds} seeds; the test{held} needs at least "
            f"{least}."
        )
    left = seconds_left(missing, plan, concurrent) if missing and concurrent else None
    if left is not None:
        notes.append(f"Estimated time, {concurrent} trials at once: {duration(left)}")
    if study.budget.minutes is not None:
        notes.append(f"No trial starts later than {study.budget.minutes:g} min after the launch")
    return notes


def _replay_line(memory: Mapping[str, ReplaySize], concurrent: int | None) -> list[str]:
    """Return the replay sizes; conditions of equal size share a line."""
    if not memory:
        return []
    lines = {
        f"{steps:,} steps, {mb:.1f} MB": [n for n, other in memory.items() if other == (steps, mb)]
        for steps, mb in memory.values()
    }
    equal = len(lines) == 1
    sizes = [text if equal else f"{text} ({', '.join(names)})" for text, names in lines.items()]
    most = max(mb for _, mb in memory.values()) * (concurrent or 1)
    together = f"; at most {most:.0f} MB for {concurrent} trials at once" if concurrent else ""
    return [f"Replay buffer of a trial: {'; '.join(sizes)}{together}"]


def _warnings(study: Study) -> list[str]:
    """Yield warnings about what would spoil the study's results."""
    return [*_across_environments(study), *_untrained_heads(study), *_unmeasured_metrics(study)]


def _untrained_heads(study: Study) -> list[str]:
    """Yield the model heads that no loss trains."""
    found = {one.name: one.config.untrained_heads() for one in study.conditions}
    return [
        f"Warning: no loss trains the {head} head{_where('in', names, len(found))}; its "
        "predictions, and every search that uses them, stay random"
        for head in sorted({head for heads in found.values() for head in heads})
        for names in [[name for name, heads in found.items() if head in heads]]
    ]


def _where(preposition: str, names: Sequence[str], conditions: int) -> str:
    """Return ` in a, b`, or nothing if all conditions are concerned."""
    return "" if len(names) == conditions else f" {preposition} {', '.join(names)}"


def _unmeasured_metrics(study: Study) -> list[str]:
    """Yield the study's metrics that its trials do not measure."""
    lines = []
    for key, name in {"primary": study.primary, "predictive": study.predictive}.items():
        reading = parse(name)
        lacks = {one.name: _missing_reason(study, one.config, reading) for one in study.conditions}
        for lack in dict.fromkeys(filter(None, lacks.values())):
            without = [condition for condition, found in lacks.items() if found == lack]
            trial = f"no trial{_where('of', without, len(lacks))}"
            lines.append(f"Warning: {trial} measures the {key} metric {name}: {lack}")
    return lines


def _across_environments(study: Study) -> list[str]:
    """Yield comparisons between conditions with different environments."""
    specs = {one.name: one.config.environment.spec() for one in study.conditions}
    played = {condition: (spec.name, spec.actions) for condition, spec in specs.items()}
    crossing = [c for c in study.comparisons if played[c.baseline] != played[c.against]]
    if not crossing:
        return []
    return [
        f"Warning: {len(crossing)} of {len(study.comparisons)} comparisons are between different "
        f"environments (such as {crossing[0].baseline} and {crossing[0].against}); declare "
        "`comparisons`"
    ]


def _missing_reason(study: Study, trial: TrialConfig, reading: Reading) -> str | None:
    """Return when and why a trial does not measure a metric, and what can be done; else None."""
    metric = METRICS[reading.metric]
    other = "Choose another metric; `workbench list measure` lists the measures."
    if metric.exact and not trial.environment.spec().oracle:
        return f"its environment as configured has no oracle. {other}"
    measure = trial.measures.get(metric.measure)
    if measure is not None:
        deepest = getattr(measure, "depth", None)
        if reading.depth is None or deepest is None or reading.depth <= deepest:
            return None
        return (
            f"`measures.{metric.measure}.depth` is {deepest}. Raise it, or choose a smaller depth."
        )
    from workbench.evaluation import applicable_measures  # imports torch

    reason = applicable_measures(trial)[1].get(metric.measure)
    if reason:
        return f"{reason}. {other}"
    return (
        f"add measure '{metric.measure}' under `measures`, choose another metric, or run "
        f"`workbench evaluate {study.name}` after the training."
    )


def duration(seconds: float) -> str:
    """Format a duration: 42 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
