import pytest

import servewatch
from servewatch.errors import (
    FOUND_LENGTH,
    BaselineError,
    ConfigError,
    DataError,
    GateError,
    MissingExtra,
    SchemaMismatch,
    ServeWatchError,
    StoreError,
)

PLAIN = [
    BaselineError,
    ConfigError,
    DataError,
    GateError,
    SchemaMismatch,
    ServeWatchError,
    StoreError,
]


@pytest.mark.parametrize("kind", PLAIN)
def test_a_bare_message_is_shown_as_it_is(kind: type[ServeWatchError]) -> None:
    assert str(kind("the file is empty")) == "the file is empty"


@pytest.mark.parametrize("kind", [*PLAIN, MissingExtra])
def test_one_except_clause_catches_the_whole_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, ServeWatchError)


@pytest.mark.parametrize("kind", [*PLAIN, MissingExtra])
def test_every_error_is_a_public_name(kind: type[Exception]) -> None:
    assert getattr(servewatch, kind.__name__) is kind


def test_all_parts_make_one_sentence_in_reading_order() -> None:
    error = BaselineError(
        "bins must ascend",
        where="a.json",
        found=[2, 1],
        expected="ascending edges",
        remedy="rebuild it",
    )
    assert str(error) == (
        "bins must ascend (in a.json): found [2, 1], expected ascending edges; "
        "rebuild it"
    )


def test_parts_stay_readable_as_attributes() -> None:
    error = DataError("bad", where="a.csv", found=3, expected="two", remedy="mend it")
    assert (error.message, error.where, error.found, error.expected, error.remedy) == (
        "bad",
        "a.csv",
        3,
        "two",
        "mend it",
    )


def test_a_huge_found_value_is_cut() -> None:
    shown = str(DataError("bad", found="x" * 10_000))
    assert len(shown) < FOUND_LENGTH + 40


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtra("RedisStore", extra="redis")
    assert "RedisStore" in str(error)
    assert "pip install 'servewatch[redis]'" in str(error)


def test_a_config_error_carries_its_field() -> None:
    assert ConfigError("bins is out of range", field="bins").field == "bins"
