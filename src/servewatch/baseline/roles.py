"""Which column plays which part: features, predictions, target, timestamp, none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from servewatch.baseline.frame import known_column, names_of, where_of
from servewatch.errors import BaselineError
from servewatch.schema import Kind

MOST_FEATURES = 5_000
NAME_BYTES = 1_024


@dataclass(frozen=True)
class Roles:
    """The parts that the columns play. `ignored` names columns that play none.

    `held_out` tells whether predictions come from rows the model was not fitted on;
    `target_in` which of the parts ("train", "evaluation") have the target.
    """

    features: tuple[str, ...]
    predictions: tuple[str, ...]
    target: str | None
    timestamp: str | None
    ignored: tuple[str, ...]
    held_out: bool
    target_in: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def wanted(self, part: str) -> list[str]:
        """Give the columns to read from "train" or "evaluation"."""
        names = list(self.features)
        if part == "evaluation" or not self.held_out:
            names += self.predictions
        if self.target and part in self.target_in:
            names.append(self.target)
        return names + ([self.timestamp] if self.timestamp else [])


def assign(
    train: Any,
    evaluation: Any,
    *,
    target: str | None,
    prediction: str | Sequence[str] | None,
    timestamp: str | None,
    features: Sequence[str] | None,
    ignore: Collection[str],
    kinds: Mapping[str, Kind],
    segments: Sequence[str],
) -> Roles:
    """Give every column its part, from what the user names and what is left.

    Raises `DataError` for a name that is no column and `BaselineError` for parts that
    contradict each other.
    """
    names = names_of(train)
    others = names if evaluation is None else names_of(evaluation)
    predictions = (
        () if prediction is None
        else (prediction,) if isinstance(prediction, str)
        else tuple(prediction)
    )  # fmt: skip
    parts = {where_of(train) or "train": names}
    if evaluation is not None:
        parts[where_of(evaluation) or "evaluation"] = others
    for name in predictions:
        known_column(name, others, where=[*parts][-1])
    for name in (*ignore, *([target] if target else [])):
        known_column(name, [*names, *others], where=" and ".join(parts))
    _check_everywhere([timestamp] if timestamp else [], parts)
    taken = [*predictions, *(name for name in (target, timestamp) if name)]
    _refuse_twice([*taken, *ignore])
    free = [n for n in names if n not in taken and n not in ignore]
    chosen = tuple(free if features is None else features)
    _check_everywhere(chosen, parts)
    _refuse_twice([*taken, *ignore, *chosen])
    used = {*chosen, *taken}
    left = tuple(sorted({n for n in (*names, *others) if n not in used}))
    for name in kinds:
        known_column(name, used, where="kinds")
    for name in segments:
        known_column(name, chosen, where="segments, which name features")
    _check(chosen, kinds, (*chosen, *taken), where_of(train))
    return Roles(
        features=chosen,
        predictions=predictions,
        target=target,
        timestamp=timestamp,
        ignored=left,
        held_out=evaluation is not None,
        target_in=tuple(
            part
            for part, found in (("train", names), ("evaluation", others))
            if target in found
        ),
        extra=tuple(n for n in others if n not in names and n not in used),
    )


def _check_everywhere(
    wanted: Sequence[str], parts: Mapping[str, Sequence[str]]
) -> None:
    for name in wanted:
        for where, names in parts.items():
            known_column(name, names, where=where)


def _refuse_twice(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BaselineError(
                f"column {name!r} is named for two parts",
                expected="one of feature, prediction, target, timestamp, ignored",
                remedy="name it once",
            )


def _check(
    features: Sequence[str],
    kinds: Mapping[str, Kind],
    names: Sequence[str],
    where: str | None,
) -> None:
    if not 0 < len(features) <= MOST_FEATURES:
        raise BaselineError(
            "the number of features is out of range",
            where=where,
            found=len(features),
            expected=f"1 to {MOST_FEATURES:,}",
            remedy="name fewer of them, or ignore fewer",
        )
    for name in names:
        if not name or len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
            raise BaselineError(
                "a column's name is too long or empty",
                found=name,
                expected=f"1 to {NAME_BYTES:,} bytes",
                remedy="rename it",
            )
        try:
            name.encode()
        except UnicodeEncodeError:
            raise BaselineError(
                "a column's name is no valid Unicode", found=name, remedy="rename it"
            ) from None
    for name, kind in kinds.items():
        if kind not in get_args(Kind):
            raise BaselineError(
                f"column {name!r} cannot be of this kind",
                found=kind,
                expected=", ".join(get_args(Kind)),
                remedy="correct kinds",
            )
