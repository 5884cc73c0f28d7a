"""The lines on what stages of the pipeline cost."""

from load_tests.row import Row

STAGES: tuple[Row, ...] = (
    Row(
        "stage_cost",
        'entering and leaving `with watch.stage("encode")`',
        "{stage_us:.2f} µs",
        "bare loop {bare_us:.2f} µs; a context manager that does nothing"
        " {nothing_us:.2f} µs",
        "1.0 µs",
    ),
    Row(
        "stage_cost",
        "the same with `rows=10`",
        "{rows_us:.2f} µs",
        "bare loop {bare_us:.2f} µs",
        "1.0 µs",
    ),
    Row(
        "stage_cost",
        "the same with `stage.tokens(10)` inside",
        "{noted_us:.2f} µs",
        "bare loop {bare_us:.2f} µs",
    ),
    Row(
        "stage_cost",
        "a stage, everything counted",
        "{stage_all_us:.2f} µs",
        "bare loop {bare_us:.2f} µs",
    ),
    Row(
        "stage_cost",
        "a stage inside a request, 1 % of traces sampled, on average",
        "{traced_stage_us:.2f} µs ({traced_ratio_to_sdk:.2f} ×)",
        "a span of the SDK {traced_sdk_us:.2f} µs; bare app {traced_bare_us:.1f} µs",
        "2 µs",
    ),
)
