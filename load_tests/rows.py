"""The lines of the tables that the documents show, by group."""

from load_tests.label_rows import LABELS
from load_tests.path_rows import REQUEST_PATH
from load_tests.row import Row
from load_tests.stage_rows import STAGES

GROUPS: dict[str, tuple[Row, ...]] = {
    "request path": REQUEST_PATH,
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
            "fold_rate",
            "a value of a batch binned",
            "{bins_ns_a_value:.1f} ns",
            "`searchsorted` and `bincount` {control_ns_a_value:.1f} ns",
            "5 ns",
        ),
        Row(
            "fold_rate",
            "a value of a batch binned, with moments",
            "{bins_and_moments_ns_a_value:.1f} ns",
            "`searchsorted` and `bincount` {control_ns_a_value:.1f} ns",
            "8 ns",
        ),
        Row(
            "fold_rate",
            "a row folded for good, in chunks of 1,024",
            "{everything_us_a_row_of_a_chunk:.2f} µs",
            "`searchsorted` and `bincount` {control_us_a_row_of_a_chunk:.2f} µs",
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
            )
            for rows in (10_000, 1_000, 100)
        ),
    ),
    "labels": LABELS,
    "stages": STAGES,
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
            "scrape_rate",
            "`/metrics` of one model, 30 features",
            "{one_model_ms:.2f} ms",
            "`generate_latest` {one_model_control_ms:.1f} ms",
            "0.1 ms",
            short=True,
        ),
        Row(
            "scrape_rate",
            "`/metrics` of ten models",
            "{ten_models_ms:.2f} ms",
            "`generate_latest` {ten_models_control_ms:.0f} ms",
            "0.8 ms",
        ),
        Row(
            "scrape_rate",
            "1,000 drift gauges, written anew once a block",
            "{gauges_anew_ms:.2f} ms",
            "`generate_latest` {gauges_control_ms:.1f} ms",
            "0.25 ms",
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
