"""Train the demand model as a watched run: `python examples/training/train.py`.

Writes model.joblib, retail.baseline.json and demand.prom, the run's metrics, into the
folder named by the first argument, by default this one. An address as the second, such
as http://127.0.0.1:9091, is that of a Pushgateway the metrics are also sent to. Needs
`pip install servewatch[demo]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

import servewatch as sw

HERE = Path(__file__).parent
DATA = HERE.parent / "retail" / "retail_demand_weekly.csv.gz"
FEATURES = [
    "price",
    "units_lag1",
    "units_mean4",
    "orders_lag1",
    "customers_lag1",
    "anon_share_lag1",
    "intl_share_lag1",
]
EVALUATION_FROM = "2010-05-03"


def demand_model() -> Pipeline:
    """Give the model: gaps are filled, then trees predict the logarithm of units."""
    trees = HistGradientBoostingRegressor(
        max_depth=4, learning_rate=0.05, max_iter=150, random_state=0
    )
    logarithmic = TransformedTargetRegressor(
        trees, func=np.log1p, inverse_func=np.expm1
    )
    fill = SimpleImputer().set_output(transform="pandas")
    return Pipeline([("fill", fill), ("predict", logarithmic)])


def train(run: sw.Run, folder: Path) -> None:
    """Leave in *folder* the model and its baseline, and tell *run* of every step."""
    with run.stage("ingest") as stage:
        rows = pd.read_csv(DATA)
        stage.rows(len(rows))
    run.tap("raw", rows)

    with run.stage("preprocess") as stage:
        known = rows[rows["week"].between("2010-01-11", "2010-06-30")].copy()
        is_fitted = known["week"] < EVALUATION_FROM
        stage.rows(len(known))
    run.tap("features", known[FEATURES])
    run.rows(len(known))

    with run.stage("train", rows=int(is_fitted.sum())):
        model = demand_model()
        model.fit(known.loc[is_fitted, FEATURES], known.loc[is_fitted, "units"])

    with run.stage("evaluate", rows=int((~is_fitted).sum())):
        known["predicted"] = model.predict(known[FEATURES])
        held_out = known[~is_fitted]
        error = (held_out["predicted"] - held_out["units"]).abs()
        run.metric("mae", error.mean())
        run.metric("wape", error.sum() / held_out["units"].sum())

    with run.stage("package", rows=len(known)):
        # It is built inside of the run, and therefore names it.
        baseline = sw.Baseline.build(
            known[is_fitted],
            evaluation=held_out,
            target="units",
            prediction="predicted",
            timestamp="week",
            ignore=["product"],
            pipeline=model,
            model="retail-demand",
            version="1",
        )
        joblib.dump(model, folder / "model.joblib")
        baseline.save(folder / "retail.baseline.json")
    print(baseline.report())


def main(folder: Path, pushgateway: str | None) -> None:
    """Train as a run that Prometheus hears of, whatever becomes of it."""
    with sw.run(
        "train",
        job="retail-demand",
        textfile=folder / "demand.prom",
        pushgateway=pushgateway,
    ) as run:
        train(run, folder)
    print(f"run {run.id} took {run.facts().seconds:.1f} s; see {folder}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if sys.argv[1:] else HERE,
        sys.argv[2] if sys.argv[2:] else None,
    )
