from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from servewatch.baseline import Baseline
from servewatch.errors import BaselineError

ROWS = 2000


def companions() -> pd.DataFrame:
    """Give a feature that the label depends on, one that goes along, and noise."""
    rng = np.random.default_rng(6)
    used = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "used": used,
            "along": used + rng.normal(0, 0.2, ROWS),
            "noise": rng.normal(size=ROWS),
            "y": 3 * used + rng.normal(0, 0.1, ROWS),
        }
    )


FEATURES = ["used", "along", "noise"]


def test_asking_the_model_takes_the_credit_from_what_only_goes_along() -> None:
    rows = companions()
    model = LinearRegression().fit(rows[["used"]], rows["y"])
    rows["said"] = model.predict(rows[["used"]])
    baseline = Baseline.build(
        rows, evaluation=rows, target="y", prediction="said", features=FEATURES
    )

    asked = baseline.with_influence(lambda frame: model.predict(frame[["used"]]), rows)

    assert baseline.content.influence["along"] > 0.5
    assert asked.content.influence == {"used": 1.0, "along": 0.0, "noise": 0.0}


def test_all_else_stays_and_the_file_keeps_it(tmp_path: Path) -> None:
    rows = companions()
    baseline = Baseline.build(rows, target="y")
    asked = baseline.with_influence(lambda frame: frame["used"], rows)
    asked.save(tmp_path / "asked.json")

    loaded = Baseline.load(tmp_path / "asked.json")
    assert loaded.content == asked.content
    assert loaded.digest == asked.digest != baseline.digest
    assert asked.content.columns == baseline.content.columns
    assert (asked.lineage, asked.notes) == (baseline.lineage, baseline.notes)


def test_of_classes_it_is_how_often_the_class_changes() -> None:
    rows = companions()
    rows["kind"] = np.where(rows["used"] > 0, "high", "low")
    model = RandomForestClassifier(10, random_state=0)
    model.fit(rows[FEATURES], rows["kind"])
    rows["said"] = model.predict(rows[FEATURES])
    baseline = Baseline.build(rows, prediction="said", features=FEATURES)

    found = baseline.with_influence(model.predict, rows).content.influence

    assert sum(found.values()) == pytest.approx(1.0)
    assert found["noise"] < 0.05 < found["used"]


def test_a_model_that_does_not_answer_row_by_row_is_refused() -> None:
    rows = companions()
    with pytest.raises(BaselineError, match="one prediction a row"):
        Baseline.build(rows).with_influence(lambda frame: frame["used"][:5], rows)
