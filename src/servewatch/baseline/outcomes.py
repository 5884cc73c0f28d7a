"""What labels are compared with: classes, probabilities or numbers, and their bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from servewatch.baseline.outcome_edges import cut_numbers, with_score_edges
from servewatch.baseline.score_order import Known, Settled, settle_one, settle_several
from servewatch.errors import BaselineError
from servewatch.schema import Kind
from servewatch.sketch.bins import Bins, EdgeBins, LevelBins
from servewatch.sketch.encode import Coded, Values, to_numbers, to_texts
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import MOST_CLASSES, Task, Truth

MOSTLY = 0.99


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


@dataclass(frozen=True, slots=True)
class Decided:
    """How labels are counted, and sentences on what was guessed or contradicts."""

    truth: Truth
    notes: tuple[str, ...] = ()


def truth_of(
    label: Answers, predictions: Sequence[Answers], wanted: Wanted, bins: int
) -> Decided | str:
    """Decide how labels are counted, or say in a sentence why they cannot be.

    Labels that are texts or truths are classes; numbers are classes where there are few
    and predictions are some of the same, or, for 0 and 1, probabilities. What scores
    are of shows in rows whose class is predicted or, without such a column, labelled;
    what the user says of them stays. Raises `BaselineError` for wishes that the columns
    cannot meet.
    """
    task = wanted.task
    if task is None:  # only classes have scores, or a positive one
        is_said = wanted.scores is not None or wanted.positive is not None
        task = "classification" if is_said else _task(label, predictions)
    if task == "regression":
        found = _regression(label, predictions, bins)
        return found if isinstance(found, str) else Decided(found)
    classes = _classes(label, wanted)
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
    known = _known(label, [each for each in predictions if each.name in named], classes)
    settled = _settle(predictions, scores, classes, known, wanted)
    if not settled.scores and not named:
        why = " ".join(settled.notes) or (
            "no prediction column holds its classes, or a probability. Name it by "
            "scores=."
        )
        return f"Labels of {label.name} are not compared with predictions: {why}"
    truth = Truth(
        task="classification",
        target=label.name,
        prediction=named[0] if named else None,
        classes=settled.classes,
        scores=settled.scores,
    )
    if truth.scores:
        by_name = {each.name: to_numbers(each.values)[0] for each in predictions}
        table = np.stack([by_name[name] for name in truth.scores], axis=1)
        truth = with_score_edges(truth, table)
    return Decided(truth, settled.notes)


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


def _classes(label: Answers, wanted: Wanted) -> tuple[str, ...]:
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
    positive, scores = wanted.positive, wanted.scores
    if positive is None:
        scored = list(_by_class(scores, classes)) if isinstance(scores, Mapping) else []
        if len(classes) == 2 and len(scored) == 1:  # its score says which one it is
            classes.sort(key=scored.__contains__)
        return tuple(classes)
    text = _text_of(positive, classes)
    if text not in classes or len(classes) != 2:
        raise BaselineError(
            f"positive={positive!r} is not one of two classes of {label.name!r}",
            found=", ".join(classes[:8]),
            expected="one of two classes",
            remedy="correct positive, or leave it out",
        )
    return (*(each for each in classes if each != text), text)


def _by_class(
    scores: Mapping[object, str], classes: Sequence[str]
) -> Mapping[str, str]:
    by_text = {_text_of(each, classes): name for each, name in scores.items()}
    return {text: by_text[text] for text in classes if text in by_text}


def _text_of(value: object, classes: Sequence[str]) -> str:
    """Give a class as its text; truths may be counted as the 1 and 0 they are."""
    text = to_texts([value])[0] or ""
    return text if text in classes else {"true": "1", "false": "0"}.get(text, text)


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
    """Give the columns of probabilities, where all are there in order of the classes.

    With two classes it may be the positive one's alone.
    """
    given = wanted.scores
    if given is None:
        found = [
            each.name
            for each in predictions
            if _is_probability(each) and not _holds(each, classes)
        ]
        return tuple(found) if len(found) in _allowed(classes) else ()
    if isinstance(given, Mapping):
        by_class = _by_class(given, classes)
        names = list(by_class.values())
        if len(classes) == 2 and classes[-1] not in by_class:
            names = []  # of the one that is said not to be the positive one
    else:
        names = [given] if isinstance(given, str) else list(given)
    known = {each.name: each for each in predictions}
    odd = [n for n in names if n not in known or not _is_probability(known[n])]
    if odd or len(names) not in _allowed(classes):
        raise BaselineError(
            "scores do not fit the classes",
            found=", ".join(odd) or f"{len(names)} columns, {len(classes)} classes",
            expected="prediction columns of probabilities in [0, 1]: one a class, or "
            "with two classes the positive one's",
            remedy="name them by scores=, and among the predictions",
        )
    return tuple(names)


def _allowed(classes: Sequence[str]) -> set[int]:
    return {1, 2} if len(classes) == 2 else {len(classes)}


def _known(
    label: Answers, predictions: Sequence[Answers], classes: tuple[str, ...]
) -> Known:
    """Give rows' classes as predicted, which scores agree with best, or as labelled."""
    of = Truth(task="classification", target=label.name, classes=classes)
    for each in predictions:
        codes = Scoring(of).values(each.values).astype(np.int64)
        if np.unique(codes[codes < len(classes)]).size > 1:
            return Known(codes, "predicted as")
    return Known(Scoring(of).values(label.values).astype(np.int64), "labelled")


def _settle(
    predictions: Sequence[Answers],
    names: Sequence[str],
    classes: tuple[str, ...],
    known: Known,
    wanted: Wanted,
) -> Settled:
    """Compare what the user says of scores, or their order, with the rows."""
    if not names:
        return Settled(classes, ())
    columns = {each.name: to_numbers(each.values)[0] for each in predictions}
    if len(names) == 1:
        is_said = wanted.positive is not None or isinstance(wanted.scores, Mapping)
        name = names[0]
        return settle_one(name, columns[name], classes, known, is_said=is_said)
    table = np.stack([columns[name] for name in names], axis=1)
    is_said = wanted.scores is not None
    return settle_several(names, table, classes, known, is_said=is_said)


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
    truth = cut_numbers(label.name, numeric[0].name, y, value, bins)
    return truth or (
        f"Labels of {label.name} are not compared with predictions: their values are "
        "too large to be compared."
    )
