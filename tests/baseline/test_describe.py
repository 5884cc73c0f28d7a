from __future__ import annotations

import json

import numpy as np

from servewatch.baseline import Baseline
from servewatch.baseline.describe import HEADINGS, as_cells, as_dict, describe_column

ROWS = {
    "x": [1.0, 2.0, None, 4.0],
    "<b>c</b>": ["<script>", "<script>", "b", None],
    "e": [None, None, None, None],
    "p": [0.1, 0.2, 0.3, 0.4],
}
FOUND = Baseline.build(ROWS, prediction="p", model="<i>m</i>", version="1")


def test_a_column_is_described_in_its_own_words() -> None:
    cells = {column.name: as_cells(column) for column in FOUND.content.columns}

    assert cells["x"] == [
        *("x", "feature", "numeric", "25 %", "2.333 ± 1.25, 1 to 4", "")
    ]
    assert cells["<b>c</b>"][4] == "most often <script> (66.7 %)"
    assert cells["e"][4] == "none"


def test_there_is_a_cell_for_every_heading() -> None:
    assert {len(as_cells(c)) for c in FOUND.content.columns} == {len(HEADINGS)}


def test_the_dict_is_plain_json() -> None:
    found = json.loads(json.dumps(as_dict(FOUND)))

    assert found["digest"] == FOUND.digest
    assert [column["name"] for column in found["columns"]] == list(ROWS)


def test_missing_is_a_share() -> None:
    assert describe_column(FOUND.profiles["x"])["missing"] == 0.25


def test_the_report_names_model_rows_and_digest() -> None:
    first = FOUND.report().splitlines()[0]

    assert "<i>m</i> 1: 4 rows of train" in first
    assert FOUND.digest[:12] in first


def test_every_text_is_escaped_in_a_notebook() -> None:
    html = FOUND._repr_mimebundle_()["text/html"]

    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "<i>m" not in html
    assert "<b>c" not in html


def test_a_notebook_without_html_gets_the_report() -> None:
    assert FOUND._repr_mimebundle_()["text/plain"] == FOUND.report()


def test_a_baseline_without_anything_to_object_to_says_so() -> None:
    random = np.random.default_rng(0)
    rows = {
        "at": np.arange(2000.0) * 86400,
        "x": random.normal(size=2000),
        "p": random.random(2000),
    }

    found = Baseline.build(
        {name: values[:1000] for name, values in rows.items()},
        evaluation={name: values[1000:] for name, values in rows.items()},
        prediction="p",
        timestamp="at",
    )

    assert found.notes == ()
    assert "Nothing to object to." in found.report()
