"""The console of all commands: it shows control characters of user text instead of obeying them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from typing_extensions import override

from workbench.terminal import printable


class SafeConsole(Console):
    """A rich console that writes control characters in text, such as ESC, as escapes."""

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            safe = text if control else printable(text)
            yield segment if safe == text else Segment(safe, style)
