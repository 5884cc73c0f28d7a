from pathlib import Path

import pytest

from servewatch import Config, ConfigError

FLOORS = {"accuracy": 0.8, "f1": 0.7}


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("SERVEWATCH_BLOCK_SECONDS", "60", "block_seconds", 60.0),
        ("SERVEWATCH_BINS", " 10 ", "bins", 10),
        ("SERVEWATCH_METRICS_OPEN", "false", "metrics_open", False),
        ("SERVEWATCH_METRICS_OPEN", "1", "metrics_open", True),
        ("SERVEWATCH_MODEL", "demand", "model", "demand"),
        ("SERVEWATCH_TOKEN", "sesame", "token", "sesame"),
        ("SERVEWATCH_PREDICTION_ID_HEADER", "", "prediction_id_header", None),
        ("SERVEWATCH_INFORMATIONAL", "week, month", "informational", ("week", "month")),
        ("SERVEWATCH_INFORMATIONAL", "", "informational", ()),
        (
            "SERVEWATCH_TOLERANCE_QUALITY",
            ".01,.02,.03",
            "tolerance_quality",
            (0.01, 0.02, 0.03),
        ),
        ("SERVEWATCH_FLOORS", "accuracy=0.8, f1 = .7", "floors", FLOORS),
        ("SERVEWATCH_FLOORS", "", "floors", {}),
        ("SERVEWATCH_ALERT_ON", "performance", "alert_on", ("performance",)),
    ],
)
def test_a_variable_is_read_as_its_field_needs(
    variable: str, text: str, name: str, value: object
) -> None:
    assert getattr(Config.from_environ({variable: text}), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SERVEWATCH_BINS", "ten"),
        ("SERVEWATCH_BINS", "10.5"),
        ("SERVEWATCH_BLOCK_SECONDS", ""),
        ("SERVEWATCH_METRICS_OPEN", "maybe"),
        ("SERVEWATCH_TOLERANCE_QUALITY", "a,b,c"),
        ("SERVEWATCH_FLOORS", "accuracy"),
        ("SERVEWATCH_FLOORS", "accuracy=high"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(variable: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({variable: text})
    assert caught.value.where == variable


def test_a_mistyped_variable_names_the_nearest_setting() -> None:
    with pytest.raises(ConfigError, match="'block_seconds'"):
        Config.from_environ({"SERVEWATCH_BLOCK_SECOND": "1"})


def test_a_name_like_no_setting_is_still_refused() -> None:
    with pytest.raises(ConfigError, match="remove it"):
        Config.from_environ({"SERVEWATCH_QQQQ": "1"})


@pytest.mark.parametrize(
    "variable",
    [
        "SERVEWATCH_SERVICE_HOST",
        "SERVEWATCH_SERVICE_PORT",
        "SERVEWATCH_SERVICE_PORT_HTTP",
        "SERVEWATCH_PORT",
        "SERVEWATCH_PORT_8080_TCP_ADDR",
    ],
)
def test_what_kubernetes_adds_for_a_service_named_servewatch_is_no_setting(
    variable: str,
) -> None:
    assert Config.from_environ({variable: "tcp://10.0.0.1:8080"}) == Config()


def test_variables_of_others_are_left_alone() -> None:
    assert Config.from_environ({"PATH": "/usr/bin"}) == Config()


def test_tables_and_flat_keys_name_the_same_settings(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text(
        'model = "demand"\nblock_rows = 20\n[block]\nseconds = 60\n'
        "[tolerance]\nquality = [0.01, 0.02, 0.03]\n"
    )
    assert Config.from_toml(path) == Config(
        model="demand",
        block_rows=20,
        block_seconds=60,
        tolerance_quality=(0.01, 0.02, 0.03),
    )


def test_the_table_of_a_mapping_is_its_value(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("[floors]\naccuracy = 0.8\nf1 = 0.7\n")
    assert Config.from_toml(path).floors == FLOORS


def test_a_setting_given_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("block_seconds = 1\n[block]\nseconds = 2")
    with pytest.raises(ConfigError, match="set twice"):
        Config.from_toml(path)


def test_an_unknown_key_names_the_file_and_the_nearest_setting(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("[block]\nsecond = 1")
    with pytest.raises(ConfigError, match="did you mean 'block_seconds'") as caught:
        Config.from_toml(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("content", [b"block_seconds =", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.from_toml(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        Config.from_toml(tmp_path / "absent.toml")
