"""Optional packages, checked when a configuration is read."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from workbench.components import Incompatible


def require(who: str, package: str, extra: str) -> None:
    """Check that an optional package is installed.

    Args:
        who: what needs the package, for the message.
        package: import name of the package.
        extra: extra of this distribution that installs it.

    Raises:
        Incompatible: the package is not installed.
    """
    if find_spec(package) is None:
        raise Incompatible(
            f"{who} needs the package {package}; install it with: "
            f"pip install 'muzero-workbench[{extra}]'"
        )


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed ones among `packages`, given by distribution name."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
