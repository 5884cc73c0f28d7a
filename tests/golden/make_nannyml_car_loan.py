"""Write nannyml-car-loan.json: NannyML's estimates for its car loans, and our counts.

NannyML wants packages that the tests' environment has no use for, so this runs by hand
in one of its own, beside an editable installation of ServeWatch:

    python -m venv nannyml-venv
    nannyml-venv/bin/pip install nannyml==0.13.1 statsmodels --editable .
    NML_DISABLE_USAGE_LOGGING=1 nannyml-venv/bin/python \
        tests/golden/make_nannyml_car_loan.py

The data come with NannyML, under the Apache License 2.0.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import Truth

CHUNK = 5000
METRICS = ("accuracy", "roc_auc", "f1")


def main() -> None:
    """Estimate chunk by chunk and write all of it down."""
    import pandas as pd

    nannyml = import_module("nannyml")  # no types, and not where types are checked
    reference, analysis, labels = nannyml.load_synthetic_car_loan_dataset()
    analysis = analysis.merge(labels, on="id")
    estimator = nannyml.CBPE(
        problem_type="classification_binary",
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="repaid",
        metrics=list(METRICS),
        chunk_size=CHUNK,
    ).fit(reference)
    truth = Truth(
        task="classification",
        target="repaid",
        prediction="y_pred",
        classes=("0", "1"),
        scores=("y_pred_proba",),
        score_edges=edges_of(reference["y_pred_proba"].to_numpy()),
        calibration_edges=(0.5,),
    )
    found = estimator.estimate(analysis).to_df(multilevel=False)
    rows = pd.concat([reference, analysis], ignore_index=True)
    chunks = [
        {"period": row["chunk_period"]}
        | {"served": counted(truth, rows[start : start + CHUNK])[1]}
        | {
            name: {
                "estimated": row[f"{name}_value"],
                "realized": row[f"{name}_realized"],
            }
            for name in METRICS
        }
        for start, row in zip(
            range(0, len(rows), CHUNK), found.to_dict("records"), strict=True
        )
    ]
    content = {
        "about": "NannyML "
        f"{nannyml.__version__}, CBPE on its synthetic car-loan data (Apache-2.0); "
        "written by make_nannyml_car_loan.py",
        "score_edges": truth.score_edges,
        "labelled": counted(truth, reference)[0],
        "chunks": chunks,
    }
    path = Path(__file__).with_name("nannyml-car-loan.json")
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
    sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")


def edges_of(scores: NDArray[np.float64]) -> tuple[float, ...]:
    """Cut by width and by mass, as a baseline does."""
    even = np.linspace(0, 1, 101)[1:-1]
    by_mass = np.quantile(scores, np.arange(1, 100) / 100, method="inverted_cdf")
    edges = np.union1d(even, by_mass)
    return tuple(edges[(edges > 0) & (edges < 1)].tolist())


def counted(truth: Truth, rows: Any) -> tuple[list[list[int]], list[list[int]]]:
    """Give the cells `score:0` and `served_score:0` of *rows*."""
    scoring = Scoring(truth)
    outputs = {
        "y_pred": rows["y_pred"].to_numpy(),
        "y_pred_proba": rows["y_pred_proba"].to_numpy(),
    }
    records = scoring.records(outputs, {}, len(rows))
    assert records is not None
    counts = scoring.labelled(
        records, scoring.values(rows["repaid"].to_numpy()), np.zeros(len(rows))
    )[0] + scoring.served(records)
    cells = scoring.cells
    return (
        cells.of("score:0", counts).tolist(),
        cells.of("served_score:0", counts).tolist(),
    )


if __name__ == "__main__":
    main()
