from servewatch.sketch.bins import width
from servewatch.sketch.layout import NO_COLUMNS, SERVICE_CELLS
from tests.sketch.made import LAYOUT


def test_spans_follow_one_another_without_gap_or_overlap() -> None:
    spans = list(LAYOUT.spans.values())

    assert [span.start for span in spans[1:]] == [span.stop for span in spans[:-1]]
    assert (spans[0].start, spans[-1].stop) == (0, LAYOUT.size)


def test_a_columns_span_is_as_wide_as_its_cells() -> None:
    sizes = [s.stop - s.start for s in list(LAYOUT.spans.values())[:4]]

    assert sizes == [width(bins) for bins in LAYOUT.bins]


def test_a_column_cannot_be_confused_with_a_service_count() -> None:
    assert not {"requests", "duplicates"} & set(LAYOUT.spans)


def test_without_columns_the_service_is_still_counted() -> None:
    assert NO_COLUMNS.size == sum(SERVICE_CELLS.values())
