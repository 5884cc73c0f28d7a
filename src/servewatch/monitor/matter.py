"""Which of the streams that drift matter: those that the prediction depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LITTLE, MUCH = 0.06, 0.14  # medium and large shares of explained variance, Cohen 1988

Moved = Literal["rose", "fell", "held"]
Basis = Literal["measured", "estimated"]


@dataclass(frozen=True, slots=True)
class Error:
    """What the model's error did since the drift began, measured on labels or not.

    `held` says that no change is established, not that there is none.
    """

    moved: Moved
    basis: Basis


@dataclass(frozen=True, slots=True)
class Matter:
    """How much a drifting stream matters.

    `influence` in [0, 1] is how much the prediction depends on the column, None where
    that is not known; `shift` the debiased JS distance, in [0, 1]; `score` their
    product, None without an influence.
    """

    name: str
    influence: float | None
    shift: float
    score: float | None
    sentence: str


def matters(
    name: str, influence: float | None, shift: float, error: Error | None = None
) -> Matter:
    """Say how much the drift of the stream called *name* matters.

    The score is influence x shift: a feature that the model does not use may move as it
    likes, and one that hardly moves does no harm. It orders, and is no probability. The
    error is the whole model's: that it rose with a drift does not say that it rose
    because of it. Raises ValueError for an influence or a shift outside of [0, 1].

    >>> matters("age", 0.41, 0.3, Error("rose", "measured")).sentence
    'the model depends on it (influence 41 %), and its error rose with it'
    >>> matters("zip", 0.02, 0.5).sentence
    'moves the prediction little (influence 2 %)'
    """
    for what, share in (("influence", influence), ("shift", shift)):
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"the {what} of {name!r} is {share}, not within [0, 1]")
    score = None if influence is None else influence * shift
    return Matter(name, influence, shift, score, _sentence(influence, error))


def rank(
    shifts: Mapping[str, float],
    influences: Mapping[str, float],
    error: Error | None = None,
) -> list[Matter]:
    """Give drifting streams by score, the one that matters most first.

    *shifts* and *influences* are by the stream's name; streams whose influence is not
    known follow those where it is, by their shift.

    >>> [m.name for m in rank({"a": 0.5, "b": 0.2, "c": 0.9}, {"a": 0.1, "b": 0.4})]
    ['b', 'a', 'c']
    """
    found = [
        matters(name, influences.get(name), shift, error)
        for name, shift in shifts.items()
    ]
    return sorted(found, key=_order)


def _order(matter: Matter) -> tuple[bool, float, float, str]:
    return matter.score is None, -(matter.score or 0.0), -matter.shift, matter.name


def _sentence(influence: float | None, error: Error | None) -> str:
    if influence is None:
        told = "how much the model depends on it is not known"
        return f"{told}{_and_the_error(error, 'the', 'with it')}"
    percent = f"(influence {100 * influence:.0f} %)"
    if influence < LITTLE:
        told = f"moves the prediction little {percent}"
        return f"{told}{_and_the_error(error, 'the', 'all the same')}"
    somewhat = "" if influence >= MUCH else "somewhat "
    told = f"the model depends on it {somewhat}{percent}"
    return f"{told}{_and_the_error(error, 'its', 'with it')}"


def _and_the_error(error: Error | None, whose: str, how: str) -> str:
    if error is None:
        return ""
    estimated = "estimated " if error.basis == "estimated" else ""
    if error.moved == "held":
        return f", but no change of {whose} {estimated}error is established"
    return f", and {whose} {estimated}error {error.moved} {how}"
