"""The lines on what labels cost."""

from load_tests.row import Row

LABELS: tuple[Row, ...] = (
    Row(
        "label_cost",
        "a call outside of any request, on its path",
        "{call_added_us:+.2f} µs",
        "without labels {call_us:.2f} µs",
        "0.2 µs",
    ),
    Row(
        "label_cost",
        "a served request, on its path",
        "{request_added_us:+.2f} µs ({request_ratio:.2f} ×)",
        "without labels {request_us:.1f} µs",
        "0.2 µs",
    ),
    Row(
        "label_cost",
        "the same, everything counted, its row waiting in memory",
        "{request_all_added_us:+.1f} µs",
        "without labels {request_all_us:.1f} µs",
        "3 µs",
    ),
    Row(
        "label_cost",
        "the same, waiting in a file",
        "{request_file_all_added_us:+.1f} µs",
        "without labels {request_all_us:.1f} µs",
    ),
    Row(
        "label_cost",
        "a row of a batch of 512, counted and waiting in memory",
        "{batch_row_all_added_us:+.2f} µs",
        "without labels {batch_row_all_us:.2f} µs",
        "3 µs",
    ),
    Row(
        "label_cost",
        "the same, waiting in a file",
        "{batch_row_file_all_added_us:+.1f} µs",
        "without labels {batch_row_all_us:.2f} µs",
    ),
    Row(
        "label_store",
        "a prediction kept in memory",
        "{memory_keep_us:.2f} µs; {memory_bytes_per_prediction:.0f} B",
        "a dict that is updated {memory_keep_control_us:.2f} µs",
    ),
    Row(
        "label_store",
        "a prediction kept in a file, of CPU time",
        "{file_keep_cpu_us:.1f} µs",
        "a bare table, in ratio {file_keep_to_control:.2f} ×",
    ),
    Row(
        "label_store",
        "the same beside {large_file_rows:,.0f} others",
        "{large_file_keep_cpu_us:.1f} µs; {file_bytes_per_prediction:.0f} B",
        "in an empty file {file_keep_cpu_us:.1f} µs",
    ),
    Row(
        "label_store",
        "labels settled in a file, 100 at a time",
        "{file_labels_per_second:,.0f}/s",
        "a bare table {file_control_labels_per_second:,.0f}/s",
        "10,000/s",
    ),
    Row(
        "label_store",
        "the same beside {large_file_rows:,.0f} predictions",
        "{large_file_labels_per_second:,.0f}/s",
        "in a small file {file_labels_per_second:,.0f}/s",
        "10,000/s",
    ),
    Row(
        "label_cost",
        "a label of 1,000 that come at once, in memory",
        "{submit_us:.1f} µs",
        "reading its JSON {json_us:.2f} µs",
    ),
    Row(
        "label_cost",
        "the same, on disk before the answer",
        "{file_submit_us:.0f} µs, of CPU time {file_submit_cpu_us:.0f} µs",
        "reading its JSON {json_us:.2f} µs",
    ),
    Row(
        "label_cost",
        "`watch.feedback`, one label, in memory",
        "{feedback_us:.0f} µs",
        "of 1,000 at once {submit_us:.1f} µs",
    ),
    Row(
        "label_cost",
        "the same, on disk before the answer",
        "{file_feedback_ms:.1f} ms",
        "a commit of one number {commit_ms:.1f} ms",
    ),
    Row(
        "label_report",
        "telling how good a model of two classes is, all its metrics",
        "{binary_ms:.1f} ms",
        "scikit-learn's report of 5,000 rows {sklearn_ms:.1f} ms",
        "10 ms",
    ),
    Row(
        "label_report",
        "the same of ten classes; of a regression",
        "{ten_ms:.0f} ms; {regression_ms:.1f} ms",
        "scikit-learn's report of 5,000 rows {sklearn_ms:.1f} ms",
    ),
)
