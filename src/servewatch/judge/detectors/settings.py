"""What a method's settings may be."""

from __future__ import annotations

from typing import Literal

from servewatch.errors import ConfigError

Interval = Literal["[0, 1]", "(0, 1)", "(0, 1]", "[0, inf)", "(0, inf)", "(1, inf)"]


def inside(interval: Interval, **settings: object) -> None:
    """Raise `ConfigError` for the first of *settings* that lies outside *interval*.

    >>> inside("(0, 1]", alpha=0.5)
    >>> inside("(0, 1]", alpha=0.0)
    Traceback (most recent call last):
    servewatch.errors.ConfigError: alpha cannot be used: found 0.0, expected a number
    in (0, 1]
    """
    low, high = (float(end) for end in interval[1:-1].split(", "))
    for name, value in settings.items():
        if (
            not isinstance(value, (int, float))
            or isinstance(value, bool)
            or not low <= value <= high
            or (value == low and interval[0] == "(")
            or (value == high and interval[-1] == ")")
        ):
            raise ConfigError(
                f"{name} cannot be used",
                found=value,
                expected=f"a number in {interval}",
            )


def whole(least: int, **settings: object) -> None:
    """Raise `ConfigError` for the first of *settings* that is no integer >= *least*.

    >>> whole(1, warm_start=30)
    >>> whole(1, warm_start=1.5)
    Traceback (most recent call last):
    servewatch.errors.ConfigError: warm_start cannot be used: found 1.5, expected an
    integer, at least 1
    """
    for name, value in settings.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(
                f"{name} cannot be used",
                found=value,
                expected=f"an integer, at least {least}",
            )
