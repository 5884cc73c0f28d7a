from __future__ import annotations

import pytest

from servewatch.pipeline.cost import Prices, Spent, cost, per_thousand


def test_each_price_is_paid_by_its_own_unit() -> None:
    # 2 h x 0.048 + 0.5 h x 3.2 + 12.5 thousand x 0.002
    spent = Spent(cpu_seconds=7200.0, gpu_seconds=1800.0, tokens=12_500.0)

    assert cost(spent, Prices(0.048, 3.2, 0.002)) == pytest.approx(1.721)


def test_without_prices_nothing_costs_anything() -> None:
    assert cost(Spent(1e6, 1e6, 1e6), Prices()) == 0.0


def test_a_thousand_predictions_by_stage() -> None:
    found = per_thousand(
        250, Spent(5.0, 1.0, 700.0), {"encode": 2.0, "idle": 0.0}, {"generate": 700.0}
    )

    assert found == {
        "cpu_seconds": 20.0,
        "gpu_seconds": 4.0,
        "tokens": 2800.0,
        "stages": {
            "encode": {"cpu_seconds": 8.0, "tokens": None},
            "idle": {"cpu_seconds": None, "tokens": None},
            "generate": {"cpu_seconds": None, "tokens": 2800.0},
        },
    }


def test_before_the_first_prediction_nothing_is_known_of_a_thousand() -> None:
    found = per_thousand(0, Spent(5.0), {"encode": 2.0}, {})

    assert found["cpu_seconds"] is None
    assert found["stages"]["encode"] == {"cpu_seconds": None, "tokens": None}
