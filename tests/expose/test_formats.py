from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from servewatch.expose.formats import (
    OPENMETRICS,
    TEXT,
    exemplar,
    negotiate,
    number,
    series,
)
from servewatch.record.exemplars import Exemplar

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "text/plain",
        "text/plain; version=0.0.4",
        "text/plain;version=1.0.0;escaping=underscores",
        "text/plain;version=1.0.0;escaping=allow-utf-8",
        "text/plain;version=1.0.0;escaping=odd",
        "text/plain;version=1.0.0",
        "application/openmetrics-text",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0",
        PROMETHEUS_2,
        PROMETHEUS_3,
    ],
)
def test_the_content_type_is_that_of_prometheus_client(accept: str) -> None:
    assert negotiate(accept)[1] == choose_encoder(accept)[1]


@pytest.mark.parametrize("version", ["2.0.0", "1.0.7", "11.0.0"])
def test_a_later_openmetrics_gets_the_first(version: str) -> None:
    asked = f"application/openmetrics-text; version={version}"
    assert negotiate(asked) == ("openmetrics", f"{OPENMETRICS}; escaping=underscores")


@pytest.mark.parametrize("escaping", ["dots", "values"])
def test_names_are_not_escaped(escaping: str) -> None:
    asked = f"application/openmetrics-text; version=1.0.0; escaping={escaping}"
    assert negotiate(asked) == ("openmetrics", f"{OPENMETRICS}; escaping=underscores")


@pytest.mark.parametrize("version", ["", "one", "1", "1.0", "-1.0.0", "9" * 5000])
def test_an_odd_version_gets_the_oldest_text(version: str) -> None:
    assert negotiate(f"text/plain; version={version}") == ("text", TEXT)


@given(st.text(max_size=80))
def test_anything_may_be_asked_for(accept: str) -> None:
    assert negotiate(accept)[1].partition(";")[0] in {
        "text/plain",
        "application/openmetrics-text",
    }


@given(st.floats())
def test_numbers_are_written_as_prometheus_client_does(value: float) -> None:
    assert number(value) == floatToGoString(value)  # type: ignore[no-untyped-call]


@given(st.integers(-(10**18), 10**18).map(float))
def test_counts_are_written_as_prometheus_client_does(value: float) -> None:
    assert number(value) == floatToGoString(value)  # type: ignore[no-untyped-call]


# Text ends a line nowhere else; what a label may hold is cleaned elsewhere.
labels = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")
)


@given(labels)
def test_a_label_comes_back_from_the_text(value: str) -> None:
    line = series("up", {"model": value, "job": "a"}) + "1.0\n"
    (family,) = text_string_to_metric_families(line)
    assert family.samples[0].labels == {"model": value, "job": "a"}


@given(labels)
def test_a_label_comes_back_from_openmetrics(value: str) -> None:
    line = series("up", {"model": value, "job": "a"}) + "1.0\n"
    text = f"# TYPE up gauge\n{line}# EOF\n"
    (family,) = openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    assert family.samples[0].labels == {"model": value, "job": "a"}


def test_an_exemplar_keeps_within_what_openmetrics_allows() -> None:
    # At most 128 characters in names and values of its labels.
    written = exemplar(Exemplar("f" * 32, 1.2345678901234567e-5, 1.69e9 + 0.123456))
    assert written == (
        f' # {{trace_id="{"f" * 32}"}} 1.2345678901234568e-05 1690000000.123'
    )
    assert len("trace_id") + 32 <= 128
