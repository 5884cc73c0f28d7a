from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from servewatch.judge.confidence import delta_variance
from servewatch.labels.area import UNSEEN_RANKED, Area, atoms_of, pr_area, roc_area

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EDGES = np.arange(1, 200) / 200
EXACT = 1e-12


def counted(scores: Floats, labels: Ints, edges: Floats = EDGES) -> Ints:
    bins = 2 * np.searchsorted(edges, scores) + labels
    return np.bincount(bins, minlength=2 * edges.size + 2).reshape(-1, 2)


def tied_at(scores: Floats) -> Floats:
    """Give edges that leave every one of *scores* a bin of its own."""
    both = np.union1d(scores, np.nextafter(scores, -1))
    return both[(both >= 0) & (both < 1)]


@st.composite
def scored(draw: st.DrawFn) -> tuple[Floats, Ints]:
    rows = draw(st.integers(2, 40))
    scores = draw(
        st.lists(
            st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1)),
            min_size=rows,
            max_size=rows,
        )
    )
    labels = draw(st.lists(st.integers(0, 1), min_size=rows - 2, max_size=rows - 2))
    return np.array(scores), np.array([0, 1, *labels])


def cut(scores: Floats) -> Floats:
    """Give at most 199 edges, by width and by mass; what is frequent is an atom."""
    values, rows = np.unique(scores, return_counts=True)
    frequent = values[rows >= scores.size / 200]
    by_mass = np.quantile(scores, np.arange(1, 100) / 100, method="inverted_cdf")
    edges = np.union1d(by_mass, tied_at(frequent))
    if not frequent.size:
        edges = np.union1d(edges, np.arange(1, 100) / 100)
    return edges[edges < 1]


def drawn(kind: str, rows: int) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(7)
    base = {"one in 50": 0.02, "one in 5": 0.2}.get(kind, 0.5)
    labels = (rng.random(rows) < base).astype(np.int64)
    logits = 2.0 * labels - 1 + rng.normal(0, 1.2, rows)
    if kind == "shifted":
        logits -= 3
    scores = 1 / (1 + np.exp(-logits))
    return (np.round(scores, 2) if kind == "ties" else scores), labels


@given(rows=scored())
def test_tied_scores_that_have_bins_of_their_own_are_exact(
    rows: tuple[Floats, Ints],
) -> None:
    scores, labels = rows
    edges = tied_at(scores)
    table = counted(scores, labels, edges)

    roc, pr = (of(table, atoms_of(edges.tolist())) for of in (roc_area, pr_area))

    assert roc.value == pytest.approx(roc_auc_score(labels, scores), abs=EXACT)
    assert pr.value == pytest.approx(average_precision_score(labels, scores), abs=EXACT)
    assert (roc.bin_error, pr.bin_error) == pytest.approx((0.0, 0.0), abs=EXACT)


@given(rows=scored(), edges=st.lists(st.floats(0.01, 0.99), max_size=6))
def test_bins_mislead_by_no_more_than_their_error(
    rows: tuple[Floats, Ints], edges: list[float]
) -> None:
    scores, labels = rows
    cuts = np.unique(edges)
    table = counted(scores, labels, cuts)
    atoms = atoms_of(cuts.tolist())

    roc, pr = roc_area(table, atoms), pr_area(table, atoms)

    gap = abs(roc.value - roc_auc_score(labels, scores))
    assert gap <= roc.bin_error + EXACT
    gap = abs(pr.value - average_precision_score(labels, scores))
    assert gap <= pr.bin_error + EXACT


def test_the_average_precision_of_a_bin_is_the_mean_over_all_its_orders() -> None:
    rng = np.random.default_rng(8)
    labels = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1])
    bins = np.array([2, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0])
    table = np.bincount(2 * bins + labels, minlength=6).reshape(3, 2)
    orders = [
        average_precision_score(labels, bins + rng.random(labels.size))
        for _ in range(1000)
    ]

    value = pr_area(table, np.zeros(3, bool)).value

    error = np.std(orders) / np.sqrt(len(orders))
    assert value == pytest.approx(np.mean(orders), abs=4 * error)


@pytest.mark.parametrize("kind", ["even", "one in 5", "one in 50", "shifted", "ties"])
def test_two_hundred_bins_are_within_two_thousandths(kind: str) -> None:
    scores, labels = drawn(kind, 50_000)
    edges = cut(scores)
    table, atoms = counted(scores, labels, edges), atoms_of(edges.tolist())

    roc, pr = roc_area(table, atoms), pr_area(table, atoms)

    assert len(table) <= 200
    assert roc.value == pytest.approx(roc_auc_score(labels, scores), abs=0.002)
    assert pr.value == pytest.approx(average_precision_score(labels, scores), abs=0.002)


@pytest.mark.parametrize("of", [roc_area, pr_area])
@pytest.mark.parametrize("kind", ["even", "one in 50"])
def test_the_variance_is_that_found_by_differences(
    of: Callable[..., Area], kind: str
) -> None:
    edges = np.arange(1, 30) / 30
    table = 1000 * (counted(*drawn(kind, 100_000), edges) + 1)
    atoms = np.zeros(30, bool)

    def values(tables: Floats) -> Floats:
        return np.array([of(each.reshape(-1, 2), atoms).value for each in tables])

    expected = delta_variance(values, table.ravel())

    # So many rows that unseen ones, which differ, are nothing. That of the average
    # precision takes each bin's middle, of which there are only 30.
    assert of(table, atoms).variance == pytest.approx(float(expected), rel=0.03)


def test_the_variance_of_an_auc_is_delongs() -> None:
    scores, labels = drawn("one in 5", 400)
    pairs = np.sign(scores[labels == 1][:, None] - scores[labels == 0]) / 2 + 0.5
    edges = tied_at(scores)
    table, atoms = counted(scores, labels, edges), atoms_of(edges.tolist())
    found = roc_area(table, atoms)

    positive, negative = pairs.shape
    delong = pairs.mean(axis=1).var() / positive + pairs.mean(axis=0).var() / negative
    reach = max(found.value, 1 - found.value) * 400 / min(positive, negative)
    most = UNSEEN_RANKED * reach**2 / 400
    assert delong * 400 <= found.variance <= delong * 400 + most


def test_scores_that_mean_nothing_have_an_area_of_one_half() -> None:
    table = np.array([[30, 10], [60, 20], [90, 30]])

    assert roc_area(table, np.zeros(3, bool)).value == pytest.approx(0.5)
    assert pr_area(table, np.zeros(3, bool)).value == pytest.approx(0.25, abs=0.02)


def test_ten_million_rows_are_no_different() -> None:
    few = counted(*drawn("even", 20_000))
    atoms = np.zeros(len(few), bool)

    for of in (roc_area, pr_area):
        assert of(few * 500, atoms).value == pytest.approx(
            of(few, atoms).value, abs=0.0005
        )


def test_a_probability_of_zero_and_one_may_be_atoms() -> None:
    edges = [0.0, float(np.nextafter(1.0, 0.0))]

    assert atoms_of(edges).tolist() == [True, False, True]


def test_edges_far_apart_make_no_atoms() -> None:
    assert not atoms_of(EDGES.tolist()).any()
