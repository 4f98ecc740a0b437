"""Configurations of a component: its defaults, and each choice of each option."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from workbench.components import ComponentConfig


def variants(cls: type[ComponentConfig]) -> list[Any]:
    """Return a component with its defaults, and with each other choice of each option."""
    found: list[Any] = [cls()]
    for name, field in cls.model_fields.items():
        choices: tuple[Any, ...] = get_args(field.annotation)
        if field.annotation is bool:
            choices = (True, False)
        elif get_origin(field.annotation) is not Literal:
            continue
        found += [cls.model_validate({name: c}) for c in choices if c != field.default]
    return found


def label(config: ComponentConfig) -> str:
    """Return the component's name with the choices that differ from its defaults."""
    changed = {
        k: v for k, v in config.model_dump().items() if v != type(config).model_fields[k].default
    }
    simple = [f"{k}={v}" for k, v in changed.items() if isinstance(v, str | bool)]
    return "-".join([config.component, *simple])
