"""Optional packages: told by name, with the extra that brings them, when a file is read."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from workbench.components import Misfit


def require(who: str, package: str, extra: str) -> None:
    """Raises Misfit where `package` (its import name) is not installed."""
    if find_spec(package) is None:
        raise Misfit(
            f"{who} needs the package {package}; install it with: "
            f"pip install 'muzero-workbench[{extra}]'"
        )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those of the packages, by their names on the index, that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
