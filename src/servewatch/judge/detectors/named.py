"""A detector by the name that its method has in the literature."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from servewatch.errors import ConfigError
from servewatch.judge.detectors.counted import Counted
from servewatch.judge.detectors.cusum import Cusum
from servewatch.judge.detectors.ddm import Ddm
from servewatch.judge.detectors.from_river import adwin, kswin
from servewatch.judge.detectors.page_hinkley import PageHinkley
from servewatch.judge.detectors.protocol import Detector, Method

_METHODS: dict[str, Callable[..., Method]] = {
    "adwin": adwin,
    "cusum": Cusum,
    "ddm": Ddm,
    "kswin": kswin,
    "page_hinkley": PageHinkley,
}
DETECTORS = tuple(_METHODS)
"""The names that `detector` knows."""


def detector(name: str, **settings: Any) -> Detector:
    """Give a new detector of the method *name*, with *settings* of that method.

    Raises `ConfigError` for a name, a setting or a setting's value that is not known,
    and `MissingExtra` where the method needs a package that is not installed.

    >>> detector("cusum", target=0.1).name
    'cusum'
    >>> detector("eddm")
    Traceback (most recent call last):
    servewatch.errors.ConfigError: no such detector: found 'eddm', expected one of
    adwin, cusum, ddm, kswin, page_hinkley
    """
    if name not in _METHODS:
        raise ConfigError(
            "no such detector",
            found=name,
            expected=f"one of {', '.join(DETECTORS)}",
        )
    method = _METHODS[name]
    known = list(signature(method).parameters)
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ConfigError(
            f"{name} has no such setting",
            found=unknown[0],
            expected=f"one of {', '.join(known)}",
        )
    return Counted(name, method(**settings))
