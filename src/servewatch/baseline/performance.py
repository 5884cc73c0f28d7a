"""How good the model was on evaluation rows, counted as live labels will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.gather import Gathered, Group, take
from servewatch.baseline.kinds import convert
from servewatch.baseline.outcomes import Answers, Wanted, truth_of
from servewatch.baseline.own_replay import BlockCounts
from servewatch.baseline.profile import ColumnProfile, Performance
from servewatch.baseline.roles import Roles
from servewatch.baseline.segments import labels_of
from servewatch.baseline.timeline import Timeline
from servewatch.sketch.encode import Values
from servewatch.sketch.loss import LossModel
from servewatch.sketch.scoring import Records, Scoring
from servewatch.sketch.truth import SegmentColumn

MOST_BLOCKS = 2_000
GROUPS = ("group:", "served_group:")
JUDGED = (
    "confusion", "calibration_gap", "relative", "absolute", "residual", "clipped"
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compared:
    """Evaluation rows with label and prediction in time order, as they are counted.

    `places` (n,) are their numbers among all rows, `held_places` among those with a
    prediction, `notes` sentences on what was guessed or contradicts.
    """

    scoring: Scoring
    records: Records
    labels: NDArray[np.generic]
    timeline: Timeline
    places: NDArray[np.int64]
    held_places: NDArray[np.int64]
    notes: tuple[str, ...] = ()


def compare_outcomes(
    gathered: Gathered,
    roles: Roles,
    profiles: Mapping[str, ColumnProfile],
    codes: Mapping[str, NDArray[np.uint8]],
    *,
    segments: Sequence[str],
    wanted: Wanted,
    bins: int,
) -> Compared | str | None:
    """Compare predictions with labels; a sentence where they cannot be, None for none.

    *codes* are the cells of the segment columns over all rows in time order.
    """
    if roles.target is None or not roles.predictions:
        return None
    label, held = gathered.groups[roles.target], gathered.held
    places = np.intersect1d(label.places, held.places, assume_unique=True)
    if places.size == 0:
        return (
            f"Labels of {roles.target} are not compared with predictions: no row of "
            "evaluation has one."
        )
    answers = {
        name: Answers(
            name,
            profiles[name].kind,
            profiles[name].bins,
            rows_at(gathered, profiles[name], places),
        )
        for name in (*roles.predictions, roles.target)
    }
    predictions = [answers[name] for name in roles.predictions]
    decided = truth_of(answers[roles.target], predictions, wanted, bins)
    if isinstance(decided, str):
        return decided
    truth = decided.truth
    there = Scoring(truth).has_label(answers[roles.target].values)
    if not there.any():
        return f"Labels of {roles.target} are not compared: evaluation has none."
    columns = tuple(
        SegmentColumn(name, tuple(labels_of(name, profiles[name].bins)))
        for name in segments
    )
    scoring = Scoring(msgspec.structs.replace(truth, segments=columns))
    records = scoring.records(
        {each.name: each.values for each in predictions},
        {name: codes[name][places] for name in segments},
        places.size,
    )
    assert records is not None  # `truth_of` names a column of predictions or scores
    labels = scoring.values(answers[roles.target].values)
    records, labels, places = records[there], labels[there], places[there]
    timeline = held.timeline
    if places.size < held.places.size:  # rows without a label are in no block of these
        timeline = Timeline(places.size, np.empty(0, dtype=np.int64), ())
    among_held = np.searchsorted(held.places, places)
    return Compared(
        scoring, records, labels, timeline, places, among_held, decided.notes
    )


def rows_at(
    gathered: Gathered, profile: ColumnProfile, places: NDArray[np.int64]
) -> Values:
    """Give a column's values in the rows at *places* among all, in time order."""
    group: Group = gathered.groups[profile.name]
    values = convert(profile.name, gathered.columns[profile.name], profile.kind)
    chosen = np.searchsorted(group.places, places)
    return take(values, group.order[chosen])


def profile_outcomes(compared: Compared, loss: LossModel | None) -> Performance:
    """Count all evaluation rows as live ones are; *loss* expects their errors."""
    scoring, records = compared.scoring, compared.records
    counts, sums = scoring.labelled(records, compared.labels, np.zeros(len(records)))
    counts += scoring.served(records)
    return Performance(
        truth=scoring.truth,
        rows=len(records),
        counts=tuple(counts.tolist()),
        sums=tuple(sums.tolist()),
        loss=loss,
    )


def block_counts(compared: Compared) -> dict[str, BlockCounts]:
    """Count what is judged in each block of time; at most 2,000 of these.

    More are joined by neighbours. Empty where rows are in no time order.
    """
    timeline, scoring = compared.timeline, compared.scoring
    blocks = timeline.starts.size
    if not blocks:
        return {}
    step = -(-blocks // MOST_BLOCKS)
    starts = timeline.starts[::step]
    stops = np.append(starts[1:], timeline.rows)
    counted = np.stack(
        [
            _counted(compared, slice(start, stop))
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]
    )
    return {
        name: BlockCounts(counted[:, scoring.cells.cells[name]], timeline.names[::step])
        for name in scoring.cells.cells
        if name in JUDGED or name.startswith(GROUPS)
    }


def _counted(compared: Compared, part: slice) -> NDArray[np.int64]:
    """Count the rows in *part*, with their labels and as served."""
    records = compared.records[part]
    counts, _ = compared.scoring.labelled(
        records, compared.labels[part], np.zeros(len(records))
    )
    return counts + compared.scoring.served(records)
