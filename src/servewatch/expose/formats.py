"""The two texts that Prometheus reads: how each is asked for, and how each is written.

Prometheus text 0.0.4 (as 1.0.0 it reads the same, as all our names are plain) and
OpenMetrics 1.0.0, both as prometheus_client writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Literal

from servewatch.expose.catalogue import Family
from servewatch.record.exemplars import Exemplar

Format = Literal["text", "openmetrics"]

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
PLAIN_BELOW = 1e6  # from here on Go writes exponents, Python from 1e16 on
_ENDS: Mapping[Format, str] = {"text": "", "openmetrics": "# EOF\n"}


def negotiate(accept: str) -> tuple[Format, str]:
    """Give the format that *accept* asks for first, and its content type.

    Like prometheus_client this goes by order and not by `q`. A version later than 1.0.0
    gets 1.0.0; names are never escaped, so any escaping asked for is `underscores`,
    which leaves plain names alone, or `allow-utf-8`.

    >>> negotiate("application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1")
    ('openmetrics', 'application/openmetrics-text; version=1.0.0; charset=utf-8; \
escaping=underscores')
    """
    for offered in accept.split(","):
        kind, *parameters = (part.strip() for part in offered.split(";"))
        version = _parameter(parameters, "version")
        escaping = "underscores"
        if _parameter(parameters, "escaping") == "allow-utf-8":
            escaping = "allow-utf-8"
        if kind == "application/openmetrics-text":
            if not version:
                return "openmetrics", OPENMETRICS
            if _is_first_or_later(version):
                return "openmetrics", f"{OPENMETRICS}; escaping={escaping}"
        elif kind == "text/plain" and _is_first_or_later(version):
            return "text", f"{TEXT_1}; escaping={escaping}"
    return "text", TEXT


def _parameter(parameters: list[str], name: str) -> str:
    """Give the first of that name, as prometheus_client takes it."""
    for parameter in parameters:
        key, separator, value = parameter.partition("=")
        if separator and key == name:
            return value
    return ""


def _is_first_or_later(version: str) -> bool:
    try:
        return tuple(map(int, version.split("."))) >= (1, 0, 0)
    except ValueError:
        return False


def head(family: Family, form: Format) -> str:
    """Give the lines before a family's samples."""
    name, kind = family.name, family.type
    if form == "text":
        kind = "gauge" if kind == "info" else kind
    else:
        name = name.removesuffix("_total").removesuffix("_info")
    return f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n"


def end(form: Format) -> str:
    """Give what closes the text."""
    return _ENDS[form]


def series(name: str, labels: Mapping[str, str]) -> str:
    r"""Give a sample's line up to its number.

    >>> series("up", {"model": "a", "job": 'b"'})
    'up{job="b\\"",model="a"} '
    """
    written = ",".join(f'{key}="{_escape(labels[key])}"' for key in sorted(labels))
    return f"{name}{{{written}}} "


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """Give *value* as Go writes it.

    >>> number(0.25), number(12345678.0), number(float("inf"))
    ('0.25', '1.2345678e+07', '+Inf')
    """
    if -inf < value < PLAIN_BELOW:
        return repr(value)
    if value != value:  # noqa: PLR0124 - NaN, at half the price of asking math
        return "NaN"
    text = repr(value)
    if text.endswith("inf"):
        return "+Inf" if value > 0 else "-Inf"
    whole, _, fraction = text.partition(".")
    if len(whole) <= 6 or not fraction:
        return text
    mantissa = f"{whole[0]}.{whole[1:]}{fraction}".rstrip("0.")
    return f"{mantissa}e+{len(whole) - 1:02d}"


def exemplar(given: Exemplar) -> str:
    """Give what follows a bucket's number: some 70 of the 128 characters allowed."""
    at = round(given.at, 3)
    return f' # {{trace_id="{given.trace_id}"}} {number(given.seconds)} {at}'
