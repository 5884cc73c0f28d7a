"""Where settings come from: an environment or a TOML file, as named values."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import NamedTuple, cast, get_args, get_origin

from servewatch.errors import ConfigError

PREFIX = "SERVEWATCH_"

# Kubernetes puts the first ones into every pod beside a service called "servewatch";
# the last one is read by the test suite.
NOT_SETTINGS = re.compile(
    rf"{PREFIX}(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\w+)?|REQUIRE_COMPONENTS)"
)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Setting(NamedTuple):
    """One value and where it was found: a variable, a file, or the arguments."""

    name: str
    value: object
    where: str


def known(name: str, hints: Mapping[str, object], *, where: str) -> str:
    """Give *name* back if it is a setting, else raise with the nearest one.

    >>> known("bins", {"bins": int}, where="the arguments")
    'bins'
    """
    if name in hints:
        return name
    nearest = difflib.get_close_matches(name, hints, n=1)
    raise ConfigError(
        f"there is no setting {name!r}",
        field=name,
        where=where,
        remedy=f"did you mean {nearest[0]!r}?" if nearest else "remove it",
    )


def from_toml(path: Path, hints: Mapping[str, object]) -> Iterator[Setting]:
    """Read `[block] seconds` and flat `block_seconds`; the same twice is an error.

    The table of a setting that is a mapping, such as `[floors]`, is its value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"the configuration cannot be read: {error}",
            where=str(path),
            expected="a TOML file in UTF-8",
            remedy="correct the file or its name",
        ) from error
    seen: set[str] = set()
    for name, value in _flat(tables, hints):
        if known(name, hints, where=str(path)) in seen:
            raise ConfigError(
                f"{name} is set twice, in its table and flat",
                field=name,
                where=str(path),
                remedy="keep one of them",
            )
        seen.add(name)
        yield Setting(name, value, str(path))


def _flat(
    tables: Mapping[str, object], hints: Mapping[str, object]
) -> Iterator[tuple[str, object]]:
    for key, value in tables.items():
        if isinstance(value, dict) and get_origin(hints.get(key)) is not Mapping:
            for inner, setting in value.items():
                yield f"{key}_{inner}", setting
        else:
            yield key, value


def from_environ(
    environ: Mapping[str, str], hints: Mapping[str, object]
) -> Iterator[Setting]:
    """Read SERVEWATCH_*; other variables, and those of Kubernetes, are not ours."""
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or NOT_SETTINGS.fullmatch(variable):
            continue
        name = known(variable.removeprefix(PREFIX).lower(), hints, where=variable)
        yield Setting(name, _parsed(text.strip(), hints[name]), variable)


def _parsed(text: str, hint: object) -> object:
    """Read what *text* stands for; what cannot be read is left for the type check."""
    if NoneType in get_args(hint):
        return text or None
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        parts = (part.strip() for part in text.split(","))
        return tuple(_parsed(part, inner) for part in parts if part)
    if get_origin(hint) is Mapping:
        return _parsed_pairs(text, get_args(hint)[1])
    if hint is bool:
        return BOOLEANS.get(text.lower(), text)
    if hint in {int, float}:
        try:
            return cast("type[float]", hint)(text)
        except ValueError:
            return text
    return text


def _parsed_pairs(text: str, hint: object) -> object:
    """Read `a=1,b=2`."""
    pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        return text
    return {name.strip(): _parsed(each.strip(), hint) for name, each in pairs}
