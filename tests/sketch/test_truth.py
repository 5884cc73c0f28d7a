from __future__ import annotations

import numpy as np

from servewatch.sketch.truth import SegmentColumn, Truth, TruthCells

CLASSES = Truth(
    task="classification",
    target="y",
    prediction="said",
    classes=("a", "b", "c"),
    scores=("pa", "pb", "pc"),
    score_edges=(0.25, 0.5),
    calibration_edges=(0.5,),
    segments=(SegmentColumn("city", ("X", "Y")),),
)
NUMBERS = Truth(
    task="regression",
    target="y",
    prediction="p",
    edges={
        "relative": (0.1,),
        "residual": (0.0, 1.0),
        "absolute": (),
        "predicted": (5.0,),
    },
    clip=2.0,
    segments=(SegmentColumn("city", ("X", "Y")),),
)


def test_blocks_of_classes_lie_side_by_side_and_fill_the_cells() -> None:
    cells = TruthCells(CLASSES)

    ends = [(span.start, span.stop) for span in cells.cells.values()]

    assert cells.shapes["confusion"] == (4, 4)
    assert cells.shapes["score:2"] == cells.shapes["served_score:2"] == (3, 2)
    assert cells.shapes["group:city"] == (3, 3, 4)
    assert [start for start, _ in ends] == [0, *(stop for _, stop in ends[:-1])]
    assert ends[-1][1] == cells.size
    assert cells.sum_shapes == {"score": (5,), "calibration": (2,)}


def test_blocks_of_numbers_follow_the_edges() -> None:
    cells = TruthCells(NUMBERS)

    assert cells.shapes["residual"] == (3,)
    assert cells.shapes["absolute"] == (1,)
    assert cells.shapes["labelled"] == cells.shapes["served_predicted"] == (2,)
    assert cells.shapes["group:city"] == (3, 2)
    assert cells.sum_shapes["group:city"] == (3, 5)
    assert cells.sums_size == sum(
        span.stop - span.start for span in cells.sums.values()
    )


def test_a_block_is_a_view_of_the_whole() -> None:
    cells = TruthCells(CLASSES)
    counts = np.zeros(cells.size, dtype=np.int64)

    cells.of("confusion", counts)[1, 2] += 7

    assert counts[cells.cells["confusion"]].tolist()[1 * 4 + 2] == 7


def test_one_column_of_scores_is_that_of_the_second_class() -> None:
    binary = Truth(task="classification", target="y", classes=("0", "1"), scores=("p",))

    assert binary.is_binary
    assert binary.scored_classes == (1,)
    assert CLASSES.scored_classes == (0, 1, 2)
