"""What labels are compared with: classes, probabilities or numbers, and their bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.errors import BaselineError
from servewatch.schema import Kind
from servewatch.sketch.bins import Bins, EdgeBins, LevelBins, edge_bins
from servewatch.sketch.encode import Coded, Values, to_numbers, to_texts
from servewatch.sketch.truth import CALIBRATION_BINS, MOST_CLASSES, Task, Truth

Floats = NDArray[np.float64]
BINARY_SCORE_BINS = 200
SCORE_BINS = 50  # of each class's scores, where there are more than two
CLIP = 0.995  # quantile of the absolute error where a bounded loss is cut
MOSTLY = 0.99
SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class Answers:
    """A column of predictions or labels over the same rows, in time order."""

    name: str
    kind: Kind
    bins: Bins
    values: Values


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says about predictions; None: to be found out.

    `scores` are columns of probabilities, by class or in the order of the classes;
    `positive` is the class of interest of two.
    """

    task: Task | None = None
    scores: str | Sequence[str] | Mapping[object, str] | None = None
    positive: object = None


def truth_of(
    label: Answers, predictions: Sequence[Answers], wanted: Wanted, bins: int
) -> Truth | str:
    """Decide how labels are counted, or say in a sentence why they cannot be.

    Labels that are texts or truths are classes; numbers are classes where there are few
    and predictions are some of the same, or, for 0 and 1, probabilities. Raises
    `BaselineError` for wishes that the columns cannot meet.
    """
    task = wanted.task
    if task is None:  # only classes have scores, or a positive one
        is_said = wanted.scores is not None or wanted.positive is not None
        task = "classification" if is_said else _task(label, predictions)
    if task == "regression":
        return _regression(label, predictions, bins)
    classes = _classes(label, wanted.positive)
    if not 2 <= len(classes) <= MOST_CLASSES:
        return (
            f"Labels of {label.name} are not compared with predictions: "
            f"{len(classes):,} classes, and 2 to {MOST_CLASSES} can be counted."
        )
    scores = _scores(predictions, classes, wanted)
    named = [
        each.name
        for each in predictions
        if each.name not in scores and _holds(each, classes)
    ]
    if not scores and not named:
        return (
            f"Labels of {label.name} are not compared with predictions: no prediction "
            "column holds its classes, or a probability. Name it by scores=."
        )
    truth = Truth(
        task="classification",
        target=label.name,
        prediction=named[0] if named else None,
        classes=classes,
        scores=scores,
    )
    return truth if not scores else _with_edges(truth, predictions)


def _task(label: Answers, predictions: Sequence[Answers]) -> Task:
    if label.kind != "numeric":
        return "classification"
    if not isinstance(label.bins, LevelBins):
        return "regression"
    levels = set(label.bins.levels)
    for each in predictions:
        if isinstance(each.bins, LevelBins) and levels >= set(each.bins.levels):
            return "classification"
        if levels <= {0.0, 1.0} and _is_probability(each):
            return "classification"
    if len(levels) == sum(map(_is_probability, predictions)) > 1:  # one a class
        return "classification"
    return "regression"


def _is_probability(column: Answers) -> bool:
    if column.kind == "categorical":
        return False
    numbers = to_numbers(column.values)[0]
    finite = numbers[np.isfinite(numbers)]
    return bool(finite.size and finite.min() >= 0 and finite.max() <= 1)


def _classes(label: Answers, positive: object) -> tuple[str, ...]:
    """Give the classes in order; of two, the positive one last."""
    found: Sequence[str | None]
    if isinstance(label.bins, EdgeBins):
        found = to_texts(np.unique(to_numbers(label.values)[0]).tolist())
    elif isinstance(label.bins, LevelBins):
        found = to_texts(label.bins.levels)
    else:
        found = sorted(label.bins.categories)
        if label.bins.others:  # more than are told apart
            found = [*found, *[f"{k}" for k in range(MOST_CLASSES)]]
    classes = [text for text in found if text is not None]
    if positive is None:
        return tuple(classes)
    text = to_texts([positive])[0]
    text = {"true": "1", "false": "0"}.get(text or "", text)
    if text not in classes or len(classes) != 2:
        raise BaselineError(
            f"positive={positive!r} is not one of two classes of {label.name!r}",
            found=", ".join(classes[:8]),
            expected="one of two classes",
            remedy="correct positive, or leave it out",
        )
    return (*(each for each in classes if each != text), text)


def _holds(column: Answers, classes: Sequence[str]) -> bool:
    """Whether nearly all values of *column* are among *classes*."""
    values = column.values
    if isinstance(values, Coded):
        texts, counts = to_texts(values.distinct), np.bincount(values.positions + 1)[1:]
    else:
        distinct, counts = np.unique(to_numbers(values)[0], return_counts=True)
        texts = to_texts(distinct.tolist())
    places = [place for place, text in enumerate(texts) if text in classes]
    known = int(counts[[p for p in places if p < counts.size]].sum())
    return known > 0 and known >= MOSTLY * int(counts.sum())


def _scores(
    predictions: Sequence[Answers], classes: Sequence[str], wanted: Wanted
) -> tuple[str, ...]:
    """Give the columns of probabilities in the order of the classes they are of."""
    given = wanted.scores
    if given is None:
        found = [
            each.name
            for each in predictions
            if _is_probability(each) and not _holds(each, classes)
        ]
        if len(classes) == 2 and found:
            return (found[-1],)
        return tuple(found) if len(found) == len(classes) else ()
    if isinstance(given, Mapping):
        by_text = {to_texts([key])[0]: name for key, name in given.items()}
        names = [by_text[text] for text in classes if text in by_text]
        names = names[-1:] if len(classes) == 2 else names
    else:
        names = [given] if isinstance(given, str) else list(given)
    known = {each.name: each for each in predictions}
    odd = [n for n in names if n not in known or not _is_probability(known[n])]
    if odd or len(names) not in {len(classes), 1 if len(classes) == 2 else -1}:
        raise BaselineError(
            "scores do not fit the classes",
            found=", ".join(odd) or f"{len(names)} columns, {len(classes)} classes",
            expected="prediction columns of probabilities in [0, 1]: one a class, or "
            "with two classes the positive one's",
            remedy="name them by scores=, and among the predictions",
        )
    return tuple(names[-1:] if len(classes) == 2 else names)


def _with_edges(truth: Truth, predictions: Sequence[Answers]) -> Truth:
    """Cut probabilities by mass and by width alike: traffic may move off the mass."""
    by_name = {each.name: to_numbers(each.values)[0] for each in predictions}
    table = np.stack([by_name[name] for name in truth.scores], axis=1)
    table = table[~np.isnan(table).any(axis=1)]
    told = table.max(axis=1) if table.shape[1] > 1 else table[:, 0]
    count = BINARY_SCORE_BINS if truth.is_binary else SCORE_BINS
    even = np.linspace(0, 1, count // 2 + 1)[1:-1]
    edges = np.union1d(even, _quantiles(table.ravel(), count // 2))
    edges = np.union1d(edges, _around_atoms(table.ravel(), count))
    return msgspec.structs.replace(
        truth,
        score_edges=_inner(edges),
        calibration_edges=_inner(_quantiles(told, CALIBRATION_BINS)),
    )


def _around_atoms(values: Floats, count: int) -> Floats:
    """Give frequent values an edge on both sides: ties among scores are then exact."""
    distinct, rows = np.unique(values, return_counts=True)
    atoms = distinct[rows * count >= values.size]
    return np.concatenate([atoms, np.nextafter(atoms, -1.0)])


def _inner(edges: Floats) -> tuple[float, ...]:
    return tuple(edges[(edges >= 0) & (edges < 1)].tolist())


def _quantiles(values: Floats, count: int) -> Floats:
    if values.size == 0:
        return np.empty(0)
    shares = np.arange(1, count) / count
    return np.unique(np.quantile(values, shares, method="inverted_cdf"))


def _regression(
    label: Answers, predictions: Sequence[Answers], bins: int
) -> Truth | str:
    numeric = [each for each in predictions if each.kind != "categorical"]
    if label.kind == "categorical" or not numeric:
        return (
            f"Labels of {label.name} are not compared with predictions: one of them "
            "holds no numbers."
        )
    y, value = to_numbers(label.values)[0], to_numbers(numeric[0].values)[0]
    known = np.isfinite(y) & np.isfinite(value)
    y, value = y[known], value[known]
    if y.size == 0:
        return f"Labels of {label.name} are not compared: no row has both."
    residual = y - value
    absolute, size = np.abs(residual), np.abs(y) + np.abs(value)
    relative = np.divide(absolute, size, out=np.zeros(y.size), where=size > 0)
    spread = float(y.std())
    clip = float(np.quantile(absolute, CLIP, method="inverted_cdf"))
    return Truth(
        task="regression",
        target=label.name,
        prediction=numeric[0].name,
        edges={
            name: edge_bins(each, bins).edges
            for name, each in (
                ("relative", relative),
                ("residual", residual),
                ("absolute", absolute),
                ("predicted", value),
            )
        },
        clip=max(clip, spread / 1000, SMALLEST),
        center=float(y.mean()),
        scale=spread if spread > 0 else max(abs(float(y.mean())), 1.0),
    )
