"""The lines of the tables that the documents show, by group.

A line says what was measured in words, and takes its figures from one benchmark's
kept results by name. `target` is what was aimed at; where it is missed,
docs/overhead.md says why. Lines that are `short` stand in the README too.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One line: `cost` and `control` are templates of the benchmark's figures."""

    benchmark: str
    what: str
    cost: str
    control: str
    target: str = ""
    short: bool = False


GROUPS: dict[str, tuple[Row, ...]] = {
    "request path": (
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
            "bare app {bare_us:.1f} µs; a middleware that does nothing"
            " {control_us:.2f} µs",
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
    ),
    "background": (
        Row(
            "request_path",
            "counting a request and its row of 30 features",
            "{drain_us:.1f} µs",
            "bare app {bare_us:.1f} µs",
        ),
        Row(
            "model_call",
            "a value of a batch of 8,192 rows, snapshot included",
            "{batch_8192_all_ns_per_value:.1f} ns",
            "`X.tobytes()` of the batch {batch_8192_tobytes_us:.0f} µs",
            "8 ns",
        ),
        Row(
            "judge_speed",
            "a block judged, 1,000 features",
            "{calm_ms:.1f} ms",
            "its exponentials alone {two_exponentials_ms:.2f} ms",
            "10 ms",
            short=True,
        ),
        *(
            Row(
                "replay_rate",
                f"replay of 1M rows × 30 features, blocks of {rows:,} rows",
                f"{{blocks_of_{rows}_rows_per_second:,.0f}} rows/s",
                "reading it {read_rows_per_second:,.0f} rows/s",
                short=rows == 1000,
            )
            for rows in (10_000, 1_000, 100)
        ),
    ),
    "read path": (
        Row(
            "distance_speed",
            "all distances from kept counts, 30 features",
            "{all_30_us:.0f} µs",
            "PSI alone {psi_30_us:.0f} µs",
            "50 µs",
        ),
        Row(
            "distance_speed",
            "all distances from kept counts, 1,000 features",
            "{all_1000_us:,.0f} µs",
            "PSI alone {psi_1000_us:,.0f} µs",
            "400 µs",
        ),
        Row(
            "drift_answer",
            "`/drift` with 1,000 features; the very first ever",
            "{first_ms:.1f} ms; {unwritten_ms:.0f} ms",
            "encoding the same document {json_ms:.1f} ms",
            short=True,
        ),
        Row(
            "import_time",
            "`import servewatch` after numpy",
            "{import_ms:.1f} ms",
            "`import numpy` {numpy_ms:.0f} ms",
            "15 ms",
        ),
        Row(
            "import_time",
            "the first use of `servewatch.ServeWatch`",
            "{first_use_ms:.0f} ms",
            "scipy alone {first_use_scipy_ms:.0f} ms",
        ),
    ),
    "memory": (
        Row(
            "memory",
            "a worker above the bare one, 30 features",
            "{added_mib:.0f} MiB",
            "bare worker {bare_mib:.0f} MiB; before traffic"
            " {added_before_traffic_mib:.0f} MiB above it",
            "64 MiB",
            short=True,
        ),
        Row(
            "memory",
            "growth over the last nine tenths of {rows:,.0f} rows",
            "{grown_mib:.1f} MiB",
            "the first tenth",
            "4 MiB",
        ),
        Row(
            "memory",
            "a feature's counts and tables",
            "{feature_counts_bytes:,.0f} B",
            "a Prometheus histogram {feature_prometheus_bytes:,.0f} B",
            "3,200 B",
        ),
        Row(
            "memory",
            "a feature's evidence; its baseline",
            "{feature_evidence_bytes:,.0f} B; {feature_baseline_bytes:,.0f} B",
            "a Prometheus histogram {feature_prometheus_bytes:,.0f} B",
        ),
    ),
    "peers": (
        Row(
            "peers",
            "ServeWatch: middleware, wrapper, id, every statistic",
            "{ours_us:.1f} µs",
            "bare app {bare_us:.1f} µs; doing nothing {control_us:.2f} µs",
        ),
        Row(
            "peers",
            "prometheus-fastapi-instrumentator: no features",
            "{instrumentator_us:.1f} µs",
            "bare app {bare_us:.1f} µs",
        ),
        Row(
            "peers",
            "starlette-exporter: no features",
            "{starlette_exporter_us:.1f} µs",
            "bare app {bare_us:.1f} µs",
        ),
        Row(
            "peers",
            "OpenTelemetry ASGI, SDK, nothing exported: no features",
            "{otel_asgi_us:.1f} µs",
            "bare app {bare_us:.1f} µs",
        ),
        Row(
            "peers",
            "prometheus_client by hand, a histogram a feature",
            "{by_hand_us:.1f} µs",
            "bare app {bare_us:.1f} µs",
        ),
        Row(
            "peers",
            "ServeWatch, times cheaper than the best exporter",
            "{times_cheaper:.1f} ×",
            "best exporter {best_exporter_us:.1f} µs",
            "8 ×",
            short=True,
        ),
    ),
}
