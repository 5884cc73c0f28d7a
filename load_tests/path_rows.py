"""The lines on what a request waits for."""

from load_tests.row import Row

REQUEST_PATH: tuple[Row, ...] = (
    Row(
        "model_call",
        "a watched model's call, one row, tight loop",
        "{row_added_us:.2f} µs",
        "bare model {row_bare_us:.2f} µs; a write into a ring {row_ring_us:.2f} µs",
        "0.35 µs",
        short=True,
    ),
    Row(
        "model_call",
        "the same, everything counted",
        "{row_all_us:.2f} µs",
        "bare model {row_bare_us:.2f} µs",
        "0.9 µs",
    ),
    Row(
        "request_path",
        "the call inside a served request, no middleware",
        "{wrapper_us:.2f} µs",
        "bare app {bare_us:.1f} µs; a middleware that does nothing {control_us:.2f} µs",
        "0.9 µs",
    ),
    Row(
        "request_path",
        "the same, everything counted",
        "{wrapper_all_us:.2f} µs",
        "bare app {bare_us:.1f} µs",
        "1.8 µs",
    ),
    Row(
        "model_call",
        "a batch of 1,000 rows",
        "{batch_1000_added_us:.0f} µs ({batch_1000_ratio_to_tobytes:.2f} ×)",
        "`X.tobytes()` {batch_1000_tobytes_us:.0f} µs",
        "1.1 ×",
    ),
    Row(
        "model_call",
        "a batch of 8,192 rows",
        "{batch_8192_added_us:.0f} µs ({batch_8192_ratio_to_tobytes:.2f} ×)",
        "`X.tobytes()` {batch_8192_tobytes_us:.0f} µs",
        "1.1 ×",
        short=True,
    ),
    Row(
        "model_call",
        "a DataFrame of one row",
        "{frame_added_us:.1f} µs",
        "`frame.to_numpy()` {frame_control_us:.1f} µs",
        "15 µs",
    ),
    Row(
        "model_call",
        "a list of one dict",
        "{dict_added_us:.1f} µs",
        "`itemgetter` {dict_control_us:.2f} µs",
        "4 µs",
    ),
    Row(
        "request_path",
        "middleware: timing, status, route",
        "{lean_timing_us:.2f} µs",
        "bare app {lean_bare_us:.1f} µs; doing nothing {lean_control_us:.2f} µs",
        "0.8 µs",
        short=True,
    ),
    Row(
        "request_path",
        "middleware with prediction id and its header",
        "{lean_with_id_us:.2f} µs",
        "bare app {lean_bare_us:.1f} µs",
        "1.2 µs",
    ),
    Row(
        "request_path",
        "middleware and wrapper, on the path",
        "{added_us:.1f} µs",
        "bare app {bare_us:.1f} µs (ratio {ratio:.2f})",
    ),
    Row(
        "request_path",
        "middleware, wrapper, id, every statistic counted",
        "{all_us:.1f} µs",
        "bare app {bare_us:.1f} µs",
        "4 µs",
        short=True,
    ),
    Row(
        "traced",
        "spans of a sampled request and its call, provider installed",
        "{added_us:.0f} µs ({ratio_to_sdk:.1f} ×)",
        "two bare spans of the SDK {sdk_us:.0f} µs; bare app {bare_us:.0f} µs",
        "20 µs",
    ),
    Row(
        "tail",
        "p99.9 of a request with the background thread",
        "{p999_with_us:,.0f} µs ({p999_ratio:.2f} ×)",
        "without it {p999_without_us:,.0f} µs; bare {p999_bare_us:,.0f} µs",
        "1.1 ×",
    ),
    Row(
        "sockets",
        "requests a second over sockets, uvicorn, of the bare app's",
        "{watched_share:.2f}",
        "bare app {bare_rps:,.0f}/s; with the cheapest exporter"
        " {instrumentator_share:.2f}",
        "0.94",
        short=True,
    ),
    Row(
        "sockets",
        "the server's CPU time a request there",
        "{watched_cpu_us:.0f} µs",
        "bare app {bare_cpu_us:.0f} µs; with the cheapest exporter"
        " {instrumentator_cpu_us:.0f} µs",
    ),
)
