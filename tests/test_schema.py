from servewatch.schema import Column, Schema

SCHEMA = Schema(
    (
        Column("age", "numeric"),
        Column("p", "numeric", "prediction"),
        Column("colour", "categorical"),
    )
)


def test_features_keep_the_models_order() -> None:
    assert [column.name for column in SCHEMA.features] == ["age", "colour"]


def test_predictions_are_the_outputs() -> None:
    assert [column.name for column in SCHEMA.predictions] == ["p"]


def test_a_column_is_found_by_its_name() -> None:
    assert SCHEMA.by_name["colour"] == Column("colour", "categorical", "feature")
