"""What a setting may be: its type, its range, and how it relates to its neighbours."""

import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import NoneType
from typing import NamedTuple, cast, get_args, get_origin

from servewatch.errors import ConfigError

HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 token; ASGI: lower case
PREFIX = re.compile(r"(/[\w.~-]+)*")
FOLDER = re.compile(r"[^\x00-\x1f\x7f]+")  # NUL ends a path, a newline the log's line
CURRENCY = re.compile(r"[A-Z]{3}")
TOKEN = re.compile(r"[!-~]+")  # what a header can carry


class Limit(NamedTuple):
    """What holds for a usable value, in code and in words."""

    holds: Callable[[object], bool]
    words: str


def _above(low: float) -> Limit:
    return Limit(
        lambda value: cast("float", value) > low and _finite(value), f"above {low:g}"
    )


def _at_least(low: float) -> Limit:
    return Limit(
        lambda value: cast("float", value) >= low and _finite(value),
        f"{low:g} or more",
    )


def _finite(value: object) -> bool:
    return math.isfinite(cast("float", value))


def _is_share(value: object) -> bool:
    return 0 < cast("float", value) < 1


def _ascends(value: object) -> bool:
    shares = cast("tuple[float, ...]", value)
    return all(map(_is_share, shares)) and list(shares) == sorted(set(shares))


def _written_as(pattern: re.Pattern[str], words: str) -> Limit:
    return Limit(
        lambda value: value is None or bool(pattern.fullmatch(cast("str", value))),
        words,
    )


def _among(names: tuple[str, ...]) -> Limit:
    return Limit(
        lambda value: set(cast("tuple[str, ...]", value)) <= {*names},
        f"some of {', '.join(names)}",
    )


SHARE = Limit(_is_share, "a share above 0 and below 1")
LEVELS = Limit(_ascends, "three ascending shares (warn, drift, severe)")
NAMED = Limit(lambda value: value is None or bool(value), "not empty")
ALERTS = ("inputs", "predictions", "performance", "confirmed")

LIMITS: Mapping[str, Limit] = {
    "model": NAMED,
    "block_seconds": _at_least(0.1),  # flushes are a second apart; below it only noise
    "block_rows": _at_least(1),
    "grace_seconds": _at_least(0),
    "bins": Limit(
        # A row's bin is one byte, and atoms may add half as many bins again.
        lambda value: 2 <= cast("int", value) <= 160,
        "between 2 and 160",
    ),
    "tolerance_warn": SHARE,
    "tolerance_drift": SHARE,
    "tolerance_severe": SHARE,
    "tolerance_quality": LEVELS,
    "tolerance_range": LEVELS,
    "tolerance_labels": LEVELS,
    "tolerance_calibration": LEVELS,
    "tolerance_fairness": LEVELS,
    "tolerance_duplicates": SHARE,
    "false_alarms_per_day": _above(0),
    "reference_alpha": SHARE,
    "recover_nats": _above(0),
    "cap_nats": _above(0),
    "warmup_blocks": _at_least(0),
    "warmup_deff": _at_least(1),
    "horizon_seconds": _above(0),
    "slow_deff": _at_least(1),
    "material_js": SHARE,
    "pass_tolerance": SHARE,
    "pass_alpha": SHARE,
    "latency_reference_rows": _at_least(1),
    "stale_seconds": _above(0),
    "alert_on": _among(ALERTS),
    "buffer_rows": _at_least(1),
    "buffer_bytes": _at_least(1024),
    "batch_rows": _at_least(1),
    "cpu_budget": Limit(
        lambda value: 0 < cast("float", value) <= 1, "a share above 0, at most 1"
    ),
    "rows_per_second": _above(0),
    "served_events": Limit(
        lambda value: 0 <= cast("float", value) <= 1, "a share from 0 to 1"
    ),
    "prefix": _written_as(PREFIX, "empty or a path such as '/internal'"),
    "token": _written_as(TOKEN, "visible ASCII characters without blanks"),
    "prediction_id_header": _written_as(HEADER, "a header name in lower case"),
    "label_retention_seconds": _above(0),
    "waiting_rows": _at_least(1),
    "floors": Limit(
        lambda value: all(map(_finite, cast("Mapping[str, float]", value).values())),
        "finite numbers",
    ),
    "request_id_header": _written_as(HEADER, "a header name in lower case"),
    "id_from": NAMED,
    "queue_header": _written_as(HEADER, "a header name in lower case"),
    "retry_header": _written_as(HEADER, "a header name in lower case"),
    "resource_seconds": _above(0),
    "price_cpu_hour": _at_least(0),
    "price_gpu_hour": _at_least(0),
    "price_thousand_tokens": _at_least(0),
    "currency": _written_as(CURRENCY, "three capital letters (ISO 4217)"),
    "lineage": _written_as(FOLDER, "console, a path or an http:// address"),
    "lineage_namespace": NAMED,
    "lineage_token": _written_as(TOKEN, "visible ASCII characters without blanks"),
    "audit_log": _written_as(FOLDER, "a path, not empty, without control characters"),
    "state_dir": _written_as(FOLDER, "a path, not empty, without control characters"),
    "store": NAMED,
    "worker": NAMED,
}

NOTHING = "nothing (None)"  # an error that found None shows nothing it found
SECONDS_A_DAY = 86400.0
LEAST_PATIENCE = 10.0  # blocks to a false alarm
ASCENDING = ("tolerance_warn", "tolerance_drift", "tolerance_severe")
REMEDY = "correct {} or leave it out for the default"


def typed(name: str, value: object, hint: object) -> object:
    """Give *value* as exactly the type *hint* says, or raise `ConfigError`.

    Whole numbers serve as numbers and lists as tuples, as TOML and people write them.

    >>> (
    ...     typed("block_seconds", 60, float),
    ...     typed("informational", ["week"], tuple[str, ...]),
    ... )
    (60.0, ('week',))
    """
    try:
        return _converted(value, hint)
    except TypeError:
        raise ConfigError(
            f"{name} has the wrong type",
            field=name,
            found=_shown(name, value),
            expected=_type_in_words(hint),
            remedy=REMEDY.format(name),
        ) from None


def _check_patience(settings: Mapping[str, object]) -> None:
    """Refuse a budget of more alarms than one in ten blocks: nothing would be ok."""
    seconds = cast("float", settings["block_seconds"])
    alarms = cast("float", settings["false_alarms_per_day"])
    if SECONDS_A_DAY / seconds / alarms < LEAST_PATIENCE:
        most = SECONDS_A_DAY / seconds / LEAST_PATIENCE
        raise ConfigError(
            "false_alarms_per_day is out of range",
            field="false_alarms_per_day",
            found=alarms,
            expected=f"at most {most:g} with blocks of {seconds:g} seconds",
            remedy="lower false_alarms_per_day or block_seconds",
        )


def _check_detectors(settings: Mapping[str, object]) -> None:
    """Refuse to gate by a detector that nobody asked for."""
    asked, gating = (
        cast("tuple[str, ...]", settings[name])
        for name in ("detectors", "detectors_gate")
    )
    if not set(gating) <= set(asked):
        raise ConfigError(
            "detectors_gate names a detector that is off",
            field="detectors_gate",
            found=", ".join(gating),
            expected=f"some of those in detectors: {', '.join(asked) or 'none'}",
            remedy="add it to detectors as well",
        )


def check(settings: Mapping[str, object]) -> None:
    """Raise `ConfigError` for the first value that lies outside its limits."""
    for name, limit in LIMITS.items():
        if not limit.holds(settings[name]):
            raise ConfigError(
                f"{name} is out of range",
                field=name,
                found=_shown(name, settings[name]),
                expected=limit.words,
                remedy=REMEDY.format(name),
            )
    for lower, upper in (
        *pairwise(ASCENDING),
        # Else no number of rows would ever do: n_min divides by their divergence.
        ("tolerance_drift", "material_js"),
    ):
        low, high = settings[lower], settings[upper]
        if not cast("float", low) < cast("float", high):
            raise ConfigError(
                f"{upper} must lie above {lower}",
                field=upper,
                found=high,
                expected=f"more than {low}",
                remedy=f"raise {upper} or lower {lower}",
            )
    _check_patience(settings)
    _check_detectors(settings)


def _converted(value: object, hint: object) -> object:
    allowed = get_args(hint)
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        if Ellipsis in allowed or len(value) == len(allowed):
            return tuple(_converted(each, allowed[0]) for each in value)
    elif get_origin(hint) is Mapping and isinstance(value, Mapping):
        key, inner = allowed
        return {
            cast("str", _converted(name, key)): _converted(each, inner)
            for name, each in value.items()
        }
    elif NoneType in allowed:
        return None if value is None else _converted(value, allowed[0])
    elif isinstance(value, bool):  # an int by birth, and never meant as one
        if hint is bool:
            return value
    elif hint is float and isinstance(value, int | float):
        return float(value)
    elif hint in {int, str} and isinstance(value, cast("type", hint)):
        return value
    raise TypeError


def _type_in_words(hint: object) -> str:
    words = {
        float: "a number",
        int: "a whole number",
        bool: "true or false",
        str: "a text",
    }
    allowed = get_args(hint)
    if get_origin(hint) is Mapping:
        return "numbers by name" if allowed[1] is float else "texts by name"
    if get_origin(hint) is tuple:
        kind = "numbers" if allowed[0] is float else "texts"
        return f"{kind}" if Ellipsis in allowed else f"{len(allowed)} {kind}"
    return "a text or nothing" if allowed else words[cast("type", hint)]


def _shown(name: str, value: object) -> object:
    """Give what an error shows of a value: of a secret nothing at all."""
    if name.endswith("token"):
        return None
    return NOTHING if value is None else value
