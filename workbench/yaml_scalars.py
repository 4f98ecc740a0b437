"""Values of scalars in YAML files: decimal numbers, `true`, `false`, `null`, and text.

The rules are those of YAML 1.2: nothing is octal because of a leading zero, nothing is in base 60,
and `on`, `yes` and dates are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from workbench.errors import shown

Scalar: TypeAlias = str | int | float | bool | None

MOST_DIGITS = 100
"""Number of digits of a whole number."""

_STANDARD = "tag:yaml.org,2002:"
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "false": False, "False": False}
_INT = re.compile(
    r"(?P<sign>[-+]?)(?:0x(?P<hex>[0-9a-fA-F]+)|0o(?P<oct>[0-7]+)|0b(?P<bin>[01]+)"
    r"|(?P<dec>\d+(?:_\d+)*))",
    re.ASCII,
)
_FLOAT = re.compile(
    r"[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|nan|NaN))", re.ASCII
)
_BASES = {"hex": 16, "oct": 8, "bin": 2, "dec": 10}
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def scalar(text: str, plain: bool, tag: str | None) -> Scalar:
    """Return the value of a scalar.

    Args:
        text: its text, without quotes.
        plain: whether it stands without quotes.
        tag: its explicit tag; None if it has none.

    Raises:
        ValueError: the text has not the form that its tag needs, the tag is unknown, the number has
            too many digits, or the text holds control characters.
    """
    if tag is None or tag == "!":
        return _resolve(text) if plain and tag is None else writable(text)
    convert = _TAGS.get(tag)
    if convert is None:
        known = ", ".join(map(written, _TAGS))
        raise ValueError(f"unknown tag {shown(written(tag))}; remove it, or use one of {known}")
    return convert(text)


def written(tag: str) -> str:
    """Return a tag as it stands in a file: `!!int`."""
    return f"!!{tag.removeprefix(_STANDARD)}" if tag.startswith(_STANDARD) else tag


def writable(text: str) -> str:
    """Return a text, with pairs of surrogates combined to the character that they encode.

    Raises:
        ValueError: it holds a control character or half a pair of surrogates.
    """
    if any("\ud800" <= c <= "\udfff" for c in text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    found = _UNWRITABLE.search(text)
    if found is not None:
        code = f"U+{ord(found.group()):04X}"
        raise ValueError(f"the text holds the control character {code}; remove it")
    return text


def _resolve(text: str) -> Scalar:
    """Return the value of a scalar without quotes and tag."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return _int(text)
    return _float(text) if _FLOAT.fullmatch(text) else writable(text)


def _int(text: str) -> int:
    found = _INT.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a whole number, found {shown(text)}")
    base, digits = next((base, found[base]) for base in _BASES if found[base])
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"expected at most {MOST_DIGITS} digits, found {len(digits)}")
    value = int(digits, _BASES[base])
    return -value if found["sign"] == "-" else value


def _float(text: str) -> float:
    if not (_FLOAT.fullmatch(text) or _INT.fullmatch(text)):
        raise ValueError(f"expected a number, found {shown(text)}")
    return float(re.sub(r"\.(?=[iInN])", "", text[:400]))


def _bool(text: str) -> bool:
    if text not in _BOOL:
        raise ValueError(f"expected `true` or `false`, found {shown(text)}")
    return _BOOL[text]


def _null(text: str) -> None:
    if text not in _NULL:
        raise ValueError(f"expected `null`, found {shown(text)}")


_TAGS: Mapping[str, Callable[[str], Scalar]] = {
    f"{_STANDARD}str": writable,
    f"{_STANDARD}int": _int,
    f"{_STANDARD}float": _float,
    f"{_STANDARD}bool": _bool,
    f"{_STANDARD}null": _null,
}
