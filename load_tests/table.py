"""Write the benchmarks' kept results into the documents that quote them.

    python load_tests/table.py docs/overhead.md README.md

The table goes between `<!-- table: results -->` and `<!-- end -->`; a test holds the
documents to the results.
"""

import json
import re
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PLACE = re.compile(r"(<!-- table: results -->\n).*?(<!-- end -->)", re.DOTALL)


def results() -> dict[str, dict[str, float]]:
    """Give every benchmark's figures by name."""
    kept = [json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")]
    return {each["benchmark"]: each["figures"] for each in kept}


def table(found: dict[str, dict[str, float]]) -> str:
    """Give the table, a line a promise: what it costs, beside its control."""
    path, judge = found["request_path"], found["judge_speed"]
    drift, replay = found["drift_answer"], found["replay_rate"]
    lines = [
        ("What", "Cost", "Control in the same run"),
        ("---", "---", "---"),
        (
            "a one-row request through middleware and wrapper, 30 features",
            f"{path['added_us']:.1f} µs added",
            f"the bare app: {path['bare_us']:.1f} µs (ratio {path['ratio']:.2f})",
        ),
        (
            "the same, in the background",
            f"{path['drain_us']:.1f} µs",
            "",
        ),
        (
            "a block judged, 1,000 features",
            f"{judge['calm_ms']:.1f} ms",
            f"its exponentials alone: {judge['two_exponentials_ms']:.2f} ms",
        ),
        (
            "`/drift` with 1,000 features; the very first ever",
            f"{drift['first_ms']:.1f} ms; {drift['unwritten_ms']:.0f} ms",
            f"encoding the same document: {drift['json_ms']:.1f} ms",
        ),
        *(
            (
                f"replay of 1M rows x 30 features, blocks of {rows} rows",
                f"{replay[f'blocks_of_{rows}_rows_per_second'] / 1e3:.0f}k rows/s",
                f"reading it: {replay['read_rows_per_second'] / 1e6:.1f}M rows/s",
            )
            for rows in (10_000, 1_000, 100)
        ),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def written(text: str, made: str) -> str:
    """Give *text* with the table in its place."""
    return PLACE.sub(lambda match: match[1] + made + match[2], text)


def main(paths: list[str]) -> None:
    """Write the table into the documents at *paths*, or print it."""
    made = table(results())
    if not paths:
        print(made, end="")
    for path in map(Path, paths):
        path.write_text(written(path.read_text("utf-8"), made), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
