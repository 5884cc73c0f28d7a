"""The demo's model, and the baseline packaged with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servewatch.demo.retail import (
    EVALUATION_FROM,
    FEATURES,
    KNOWN_FROM,
    PREDICTION,
    SERVING_FROM,
    TARGET,
    TIMESTAMP,
    between,
)

if TYPE_CHECKING:
    import pandas as pd

    from servewatch.baseline import Baseline


def fit(rows: pd.DataFrame) -> Any:
    """Fit next week's units of a product on the weeks before the evaluation."""
    import numpy as np
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor

    known = between(rows, KNOWN_FROM, EVALUATION_FROM)
    trees = HistGradientBoostingRegressor(
        max_depth=4, learning_rate=0.05, max_iter=150, random_state=0
    )
    model = TransformedTargetRegressor(trees, func=np.log1p, inverse_func=np.expm1)
    return model.fit(known[list(FEATURES)], known[TARGET])


def package(rows: pd.DataFrame, model: Any) -> Baseline:
    """Profile the fitted weeks, and the model's answers on the weeks held out."""
    from servewatch.baseline import Baseline

    train, held_out = (
        part.assign(**{PREDICTION: model.predict(part[list(FEATURES)])})
        for part in (
            between(rows, KNOWN_FROM, EVALUATION_FROM),
            between(rows, EVALUATION_FROM, SERVING_FROM),
        )
    )
    return Baseline.build(
        train,
        evaluation=held_out,
        target=TARGET,
        prediction=PREDICTION,
        timestamp=TIMESTAMP,
        ignore=["product"],
        model="retail-demand",
        version="1",
    )
