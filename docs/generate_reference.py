"""Write the pages in docs/reference from the commands, the configuration classes and the metrics.

`make references` runs this script; a test compares its output with the committed pages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml
from typer.models import ArgumentInfo, ParameterInfo

from ablations.study import Header
from ablations.study_schema import study_schema
from workbench import config_schema, registry
from workbench.cli.app import COMMANDS
from workbench.cli.entries import type_text
from workbench.components import EnvironmentConfig, Incompatible, MeasureConfig
from workbench.config import TrialConfig, dump, preset, presets, read_trial
from workbench.documents import Node
from workbench.metrics import METRICS, MetricSpec

FOLDER = Path(__file__).parent / "reference"

NOTE = "<!-- Written by docs/generate_reference.py; run `make references` after a change. -->"

MARKS = {True: "yes", False: ""}


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    return {
        "commands.md": commands_page(),
        "study_file.md": study_file_page(),
        "presets.md": presets_page(),
        "metrics.md": metrics_page(),
    }


# Markdown


def page(title: str, introduction: str, lines: Iterable[str]) -> str:
    """Return a page with a title; consecutive blank lines become one."""
    text = "\n".join([f"# {title}", "", NOTE, "", introduction, "", *lines])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; without rows there is none."""
    body = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *body, ""] if body else []


def cell(text: str) -> str:
    """Return text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return text as inline code; empty text stays empty."""
    return f"`{text}`" if str(text) else ""


def value_text(value: Any) -> str:
    """Return a value as it is written in a YAML file."""
    text = yaml.safe_dump(value, default_flow_style=True, width=100_000, sort_keys=False)
    return text.removesuffix("...\n").strip()


# Commands


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command, read from the signature of its function."""

    name: str
    annotation: Any
    info: Any
    """The typer.Argument or typer.Option in the annotation, or the default of the parameter."""
    default: Any

    @property
    def positional(self) -> bool:
        """Whether it is an argument."""
        return isinstance(self.info, ArgumentInfo)

    @property
    def variable(self) -> str:
        """Name of an argument in a usage line, in brackets if it can be left out."""
        name = self.name.upper() + "..." * self.many
        return name if self.default is inspect.Parameter.empty else f"[{name}]"

    @property
    def spellings(self) -> str:
        """All spellings of an option."""
        # In an annotation, typer stores the first spelling as the default.
        stated = [s for s in (self.info.default, *(self.info.param_decls or ())) if is_spelling(s)]
        long = f"--{self.name.replace('_', '-')}"
        negative = [f"--no-{long[2:]}"] if self.annotation is bool else []
        return ", ".join(map(code, stated or [long, *negative]))

    @property
    def value(self) -> str:
        """Kind of an option's value; empty for a switch."""
        only, many = without_none(self.annotation), self.many
        only = get_args(only)[0] if many else only
        if only is bool:
            return ""
        if get_origin(only) is Literal or (isinstance(only, type) and issubclass(only, Enum)):
            values = get_args(only) or [member.value for member in only]
            name = ", ".join(map(code, values))
        else:
            name = {str: "text", int: "integer", float: "number", Path: "path"}[only]
        for word, limit in (("least", self.info.min), ("most", self.info.max)):
            name += "" if limit is None else f", at {word} {limit}"
        return f"{name}; may be repeated" if many else name

    @property
    def default_text(self) -> str:
        """Default as text; empty if there is none or if it is a switch that is off."""
        unset = self.default in (None, False, (), inspect.Parameter.empty)
        return "" if unset else code(getattr(self.default, "value", self.default))

    @property
    def many(self) -> bool:
        """Whether several values can be given."""
        return get_origin(without_none(self.annotation)) in (list, tuple)


def is_spelling(word: Any) -> bool:
    """Whether a value is an option as it is typed."""
    return isinstance(word, str) and word.startswith("-")


def without_none(annotation: Any) -> Any:
    """Return a type without the alternative None."""
    alternatives = [t for t in get_args(annotation) if t is not type(None)]
    return alternatives[0] if type(None) in get_args(annotation) else annotation


def parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    """Yield the parameters of a command that are shown to users."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        annotation, default = hints[name], parameter.default
        infos = [x for x in [*getattr(annotation, "__metadata__", ()), default]
                 if isinstance(x, ParameterInfo)]  # fmt: skip
        if infos and not infos[0].hidden:
            plain = annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation
            value = default.default if default is infos[0] else default
            yield Parameter(name, plain, infos[0], value)


def commands_page() -> str:
    """Return the reference of all commands, arguments and options."""
    lines = [" · ".join(f"[{name}](#workbench-{name})" for name in COMMANDS), ""]
    for name, function in COMMANDS.items():
        lines += command_lines(name, function)
    introduction = (
        "Exit codes of all commands: 0 for success, 1 if a run or the environment failed, 2 for "
        "bad input, 130 after an interruption. An option on the command line wins over its "
        "environment variable. `NO_COLOR` switches colours off. `workbench COMMAND --help` prints "
        "the same text."
    )
    return page("Commands", introduction, lines)


def command_lines(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """Yield the section of one command."""
    known = list(parameters(function))
    arguments = [p for p in known if p.positional]
    options = [p for p in known if not p.positional]
    yield from (f"## workbench {name}", "", "```text")
    usage = [argument.variable for argument in arguments] + ["[OPTIONS]"] * bool(options)
    yield " ".join(["workbench", name, *usage])
    yield from ("```", "")
    yield from (inspect.cleandoc(function.__doc__ or ""), "")
    rows = [(code(a.variable.strip("[]")), a.info.help or "", a.default_text) for a in arguments]
    yield from table(("argument", "meaning", "default"), rows)
    header = ("option", "value", "meaning", "default", "environment variable")
    yield from table(
        header,
        [
            (o.spellings, o.value, o.info.help or "", o.default_text, code(o.info.envvar or ""))
            for o in options
        ],
    )


# Study files

KINDS: Mapping[str, str] = {
    "environment": "The task",
    "model": "A complete world model",
    "representation": "h, from an observation to a latent; key `model.representation`",
    "dynamics": "g, from a latent and an action to the next latent; key `model.dynamics`",
    "prediction": "f, from a latent to policy and value; key `model.prediction`",
    "decoder": "From a latent to an observation; key `model.decoder`",
    "planner": "The search; key `planner`",
    "target": "What the losses compare with; keys below `targets`",
    "loss": "Terms of the objective; keys below `losses`",
    "procedure": "The training loop; key `procedure`",
    "measure": "What is measured during training; keys below `measures`",
}


VALUES: Mapping[str, str] = {
    "axes": "for each axis, a list of values, or a mapping {name: overrides}",
    "baseline": "a condition: its name, or {axis: value}",
    "exclude": "list of {axis: value}",
    "primary": "a decision metric",
    "predictive": "a predictive metric",
}
"""Values of study keys whose schema is hard to read as text."""


def study_file_page() -> str:
    """Return the keys of a study file and of a trial, and the options of all components."""
    lines = [
        " · ".join(f"[{kind}](#{kind})" for kind in ("study", "trial", *KINDS)),
        "",
        "## study",
        "",
        "Keys of a study file. A study trains every combination of the values of its axes, with "
        "every seed.",
        "",
        *study_lines(),
        "## trial",
        "",
        "Keys of a trial. They stand in `base`, in the values of an axis, in a file for `workbench "
        "train`, and after `--set`. A key may be nested or dotted: `planner.simulations: 25`. A "
        "component is a name, or a mapping with `name` and options; options without `name` change "
        "the component of the preset. `null` removes a loss, a target or a measure.",
        "",
        *option_lines(config_schema.options(TrialConfig)),
    ]
    for kind, meaning in KINDS.items():
        lines += [f"## {kind}", "", f"{meaning}.", ""]
        for name, cls in registry.components(kind).items():
            lines += [f"### {kind} `{name}`", "", inspect.cleandoc(cls.__doc__ or ""), ""]
            lines += option_lines(config_schema.options(cls))
    introduction = (
        "Generated from the schema against which files are checked; `workbench schema` prints the "
        "same as JSON Schema for editors, and `workbench describe NAME` a single component. An "
        "option without a default is required. The "
        "[README](../../README.md#a-first-study-of-your-own) has an example."
    )
    return page("Study files", introduction, lines)


def study_lines() -> list[str]:
    """Return the table of the keys of a study file."""
    keys = study_schema()["properties"]
    defaults = {name: field.default for name, field in Header.model_fields.items()}
    rows = [
        (
            code(name),
            VALUES.get(name) or schema_text(schema),
            "required" if name == "study" else code(defaults.get(name) or ""),
            schema.get("description", ""),
        )
        for name, schema in keys.items()
    ]
    return table(("key", "value", "default", "meaning"), rows)


def schema_text(schema: Mapping[str, Any]) -> str:
    """Return the values that a JSON Schema allows in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(schema_text, schema["anyOf"])))
    if "enum" in schema:
        few = len(schema["enum"]) <= 10
        return ", ".join(map(code, schema["enum"])) if few else "a name"
    if schema.get("type") == "array":
        return f"list of ({schema_text(schema.get('items', {}))})"
    if schema.get("type") == "object":
        inside = schema.get("properties") or {}
        values = schema.get("additionalProperties") or {}
        keys = f" {{{', '.join(inside)}}}" if inside else ""
        return f"mapping{keys}" + (f" of ({schema_text(values)})" if values else "")
    kind = schema.get("type", "any")
    plain = "text, number or boolean" if isinstance(kind, list) else type_text(dict(schema))
    return {"str": "text", "any": "text"}.get(plain, plain)


def option_lines(options: Mapping[str, Any]) -> list[str]:
    """Return the table of the options of a component, nested ones with dotted keys."""
    rows = [
        (code(key), option_value(schema), default, schema.get("description", ""))
        for key, schema in flat(options)
        for default in [code(value_text(schema["default"])) if "default" in schema else "required"]
    ]
    return table(("option", "value", "default", "meaning"), rows)


def option_value(schema: dict[str, Any]) -> str:
    """Return type and bounds of an option; a kind of component as a link to its section."""
    kind = schema.get("component")
    if kind is None:
        return type_text(schema)
    many = f"mapping of name to {kind}" if schema["many"] else kind
    return f"[{many}](#{kind})" + (" or null" if schema.get("nullable") else "")


def flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every option with its dotted key."""
    for name, schema in options.items():
        if "properties" in schema:
            yield from flat(schema["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name, schema


# Presets


def presets_page() -> str:
    """Return the settings of all presets, with their sources."""
    names = list(presets())
    lines = [" · ".join(f"[{name}](#{name})" for name in names), ""]
    for name in names:
        lines += preset_lines(name)
    introduction = (
        "All settings of every preset, including defaults. The column `stated in` names the "
        "preset that states a setting; the comments there give the source. "
        "[presets.md](../presets.md) says what the presets reach, and the report of a study lists "
        "the settings of its own preset and base."
    )
    return page("Settings of the presets", introduction, lines)


def preset_lines(name: str) -> Iterator[str]:
    """Yield the section of one preset."""
    document = preset(name)
    trial = read_trial(document)
    yield from (f"## {name}", "")
    yield from (f"[The file](../../workbench/presets/{name}.yaml), with its comments.", "")
    rows = [
        (code(key), code(value), stated_in(document, key)) for key, value in settings(dump(trial))
    ]
    yield from table(("setting", "value", "stated in"), rows)


def settings(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted key and text of every setting; the name of a component has the key itself."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            if "name" in value:
                yield prefix + key, str(value["name"])
            rest = {k: v for k, v in value.items() if k != "name"}
            yield from settings(rest, f"{prefix}{key}.")
        else:
            yield prefix + key, value_text(value)


def stated_in(document: Node, key: str) -> str:
    """Return the name of the preset that states a setting; empty for a default."""
    node = document
    for part in key.split("."):
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[part]
        elif isinstance(node.value, dict) or part != "weight":  # `policy: 1.0` states a weight
            return ""
    return Path(node.location.file).stem


# Metrics


def metrics_page() -> str:
    """Return all metrics, and the environments to which each measure applies."""
    lines: list[str] = []
    for family, title in (("predictive", "Predictions"), ("decision", "Decisions"),
                          ("training", "Training")):  # fmt: skip
        found = [spec for spec in METRICS.values() if spec.family == family]
        lines += [f"## {title}", "", *table(METRIC_HEADER, map(metric_row, found))]
        lines += [f"- `{spec.name}`: {spec.description}" for spec in found] + [""]
    lines += applicability_lines()
    introduction = (
        "A metric that is given `by depth` is also written `name@k` at unroll depth k; its "
        "coordinates stand in brackets: `decision/search_regret[simulations=25]`. The naive level "
        "is the score of a simple baseline, the oracle level that of a perfect model or of perfect "
        "play; an empty oracle level is unknown or given by the environment. "
        "[measures.md](../measures.md) has the formulas."
    )
    return page("Metrics", introduction, lines)


METRIC_HEADER = ("metric", "title", "better", "unit", "by", "naive level", "oracle level",
                 "measure", "version")  # fmt: skip


def metric_row(spec: MetricSpec) -> tuple[str, ...]:
    """Return the row of a metric."""
    by = ", ".join(["depth"] * spec.by_depth + list(spec.by))
    oracle = "" if spec.oracle is None else f"{spec.oracle:g}"
    return (code(spec.name), spec.title, spec.better, spec.unit, by, spec.naive, oracle,
            code(spec.measure), str(spec.version))  # fmt: skip


def applicability_lines() -> list[str]:
    """Return the table of measures and environments, each with its default options."""
    trial = read_trial(preset("muzero"))
    measures = {
        name: cls
        for name, cls in registry.components("measure").items()
        if issubclass(cls, MeasureConfig) and cls.for_evaluation(trial) is not None
    }
    rows = []
    for name, cls in registry.components("environment").items():
        environment = cls()
        assert isinstance(environment, EnvironmentConfig)
        changed = trial.model_copy(update={"environment": environment})
        rows.append([code(name), *(MARKS[applies(m, changed)] for m in measures.values())])
    return [
        "## Environments of each measure",
        "",
        "With the default options of the environment and a searching planner. `hex` has an oracle "
        "up to 4x4. `observation` also needs a decoder, `size_transfer` (not listed) a target "
        "environment. `history` is listed with its default environment. `workbench evaluate` "
        "names the measures that do not apply to a trial, with the reason.",
        "",
        *table(("environment", *map(code, measures)), rows),
    ]


def applies(measure: type[MeasureConfig], trial: TrialConfig) -> bool:
    """Whether a measure applies to a trial."""
    options = measure.for_evaluation(trial)
    assert options is not None
    problems: list[str] = []
    try:
        problems = [p for p in options.incompatibilities(trial) if "needs a decoder" not in p]
    except Incompatible:
        return False
    return not problems


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
