from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from servewatch.expose.labels import BYTES, clean, distinct

names = st.text(st.characters(exclude_categories=()), max_size=200)


@given(names)
def test_a_clean_label_fits_its_bytes(name: str) -> None:
    assert len(clean(name).encode()) <= BYTES


@given(names)
def test_cleaning_twice_changes_nothing_more(name: str) -> None:
    assert clean(clean(name)) == clean(name)


@given(st.lists(names, max_size=20))
def test_different_names_get_different_labels(some: list[str]) -> None:
    labels = distinct(some)
    assert len(set(labels.values())) == len(set(some))


@given(st.lists(names, max_size=20))
def test_numbered_labels_fit_too(some: list[str]) -> None:
    assert all(len(label.encode()) <= BYTES for label in distinct(some).values())


@given(names)
def test_a_label_survives_the_round_trip_through_the_text_format(name: str) -> None:
    registry = CollectorRegistry()
    Gauge("g", "help", ["name"], registry=registry).labels(clean(name)).set(1)
    text = generate_latest(registry).decode()
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels["name"] == clean(name)


def test_a_cut_never_leaves_half_a_character() -> None:
    assert clean("é" * 100) == "é" * 64
