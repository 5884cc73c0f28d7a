"""Train the demand model and package its baseline: `python examples/retail/train.py`.

Writes model.joblib and retail.baseline.json into the folder named by the first
argument, by default this one; app.py serves them. Needs `pip install servewatch[demo]`.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor

import servewatch as sw

HERE = Path(__file__).parent
FEATURES = [
    "price",
    "units_lag1",
    "units_mean4",
    "orders_lag1",
    "customers_lag1",
    "anon_share_lag1",
    "intl_share_lag1",
]


def main(folder: Path) -> None:
    """Leave in *folder* what app.py serves."""
    rows = pd.read_csv(HERE / "retail_demand_weekly.csv.gz")
    # The first week is left out: its lags look back on a shop closed for Christmas, and
    # a baseline with such a week in it takes ten times the rows to be sure of a change.
    known = rows[rows["week"].between("2010-01-11", "2010-06-30")].copy()

    # Nine weeks are held out: what a model says of the rows it was fitted on flatters
    # it, and live predictions would look strange beside that.
    fitted = known["week"] < "2010-05-03"
    model = TransformedTargetRegressor(
        HistGradientBoostingRegressor(
            max_depth=4, learning_rate=0.05, max_iter=150, random_state=0
        ),
        func=np.log1p,
        inverse_func=np.expm1,
    )
    model.fit(known.loc[fitted, FEATURES], known.loc[fitted, "units"])
    known["predicted"] = model.predict(known[FEATURES])

    baseline = sw.Baseline.build(
        known[fitted],
        evaluation=known[~fitted],
        target="units",
        prediction="predicted",
        timestamp="week",
        ignore=["product"],
        model="retail-demand",
        version="1",
    )
    print(baseline.report())

    joblib.dump(model, folder / "model.joblib")
    baseline.save(folder / "retail.baseline.json")
    print(f"wrote model.joblib and retail.baseline.json to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
