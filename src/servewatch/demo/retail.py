"""The demo's data: two years of a shop's weekly sales, and a fault to put into them.

DATA.md beside this module says where the data come from and what is in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BASELINE_FILE = "retail.baseline.json"
TARGET = "units"
TIMESTAMP = "week"
PREDICTION = "predicted"
FEATURES = (
    "price",
    "units_lag1",
    "units_mean4",
    "orders_lag1",
    "customers_lag1",
    "anon_share_lag1",
    "intl_share_lag1",
)
# A model flatters the rows it was fitted on, so what it predicts is profiled on the
# nine weeks held out after them; its features are profiled on both.
KNOWN_FROM = "2010-01-11"  # the week before looks back on a shop closed for Christmas
EVALUATION_FROM = "2010-05-03"
SERVING_FROM = "2010-07-01"
DEMO_ENDS = "2010-12-31"
# What a week has sold is known when it is over: when the next week is asked for.
LABEL_DELAY_SECONDS = 7 * 86400.0
FAULT_FROM = "2010-09-06"
FAULTY = ("units_mean4", "units_lag1")


def data_path() -> Path:
    """Give the path of the rows: gzipped CSV, 250 products in each of 100 weeks."""
    return Path(__file__).with_name("retail_demand_weekly.csv.gz")


def read_rows() -> pd.DataFrame:
    """Give all 25,000 rows in time order."""
    import pandas as pd

    return pd.read_csv(data_path())


def between(rows: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    """Give the rows of the weeks from *start* up to, not including, *end* (ISO)."""
    weeks = rows[TIMESTAMP]
    return rows[(weeks >= start) & (weeks < end)]


def break_source(rows: pd.DataFrame) -> pd.DataFrame:
    """Give the rows as they are once the source of past sales stops delivering.

    From 2010-09-06 on `units_mean4` and `units_lag1` are empty.
    """
    broken = rows.copy()
    broken.loc[broken[TIMESTAMP] >= FAULT_FROM, list(FAULTY)] = float("nan")
    return broken
