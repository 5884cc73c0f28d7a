from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from servewatch import Config, ConfigError


def test_the_defaults_are_usable() -> None:
    assert Config().block_seconds == 10.0


def test_a_config_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().bins = 3  # type: ignore[misc]


def test_the_token_stays_out_of_the_repr() -> None:
    assert "sesame" not in repr(Config(token="sesame"))


def test_a_refused_token_stays_out_of_the_message() -> None:
    with pytest.raises(ConfigError, match="token") as caught:
        Config(token="open sesame")
    assert "sesame" not in str(caught.value)


def test_whole_numbers_serve_as_numbers() -> None:
    assert isinstance(Config(block_seconds=1).block_seconds, float)


def test_lists_serve_as_tuples() -> None:
    config = Config(informational=["week"])  # type: ignore[arg-type]
    assert config.informational == ("week",)


def test_equal_settings_are_equal_and_hash_alike() -> None:
    assert len({Config(block_seconds=1), Config(block_seconds=1.0)}) == 1


BAD: list[tuple[str, object]] = [
    ("model", ""),
    ("model", 3),
    ("block_seconds", 0),
    ("block_seconds", float("nan")),
    ("block_seconds", float("inf")),
    ("block_seconds", "10"),
    ("block_seconds", None),
    ("block_rows", 0),
    ("block_rows", 50.0),
    ("grace_seconds", -1),
    ("bins", 1),
    ("served_events", -0.1),
    ("served_events", 1.1),
    ("bins", 161),
    ("bins", True),
    ("tolerance_warn", 0),
    ("tolerance_drift", -0.1),
    ("tolerance_severe", 1),
    ("tolerance_quality", (0.1, 0.2)),
    ("tolerance_quality", (0.2, 0.1, 0.3)),
    ("tolerance_range", (0.1, 0.1, 0.3)),
    ("tolerance_duplicates", 2),
    ("false_alarms_per_day", 0),
    ("reference_alpha", 1),
    ("recover_nats", 0),
    ("cap_nats", -1),
    ("warmup_blocks", -1),
    ("warmup_deff", 0.5),
    ("horizon_seconds", 0),
    ("slow_deff", 0),
    ("material_js", 1),
    ("pass_tolerance", 0),
    ("pass_alpha", 1),
    ("latency_reference_rows", 0),
    ("stale_seconds", 0),
    ("informational", "week"),
    ("informational", (1,)),
    ("buffer_rows", 0),
    ("buffer_bytes", 1),
    ("batch_rows", 0),
    ("cpu_budget", 0),
    ("cpu_budget", 1.5),
    ("rows_per_second", 0),
    ("keep_values", None),
    ("prefix", "internal"),
    ("prefix", "/internal/"),
    ("token", ""),
    ("metrics_open", 1),
    ("prediction_id_header", "X-Id"),
    ("prediction_id_header", "a b"),
    ("tolerance_labels", (0.05, 0.02, 0.01)),
    ("tolerance_calibration", (0.01, 0.02)),
    ("tolerance_fairness", (0, 0.1, 0.2)),
    ("id_from", ""),
    ("request_id_header", "X-Id"),
    ("label_retention_seconds", 0),
    ("waiting_rows", 0),
    ("alert_on", ("input",)),
    ("floors", {"accuracy": float("nan")}),
    ("floors", {"accuracy": "high"}),
    ("floors", ("accuracy", 0.8)),
    ("detectors", "adwin"),
    ("detectors_gate", ("adwin",)),
    ("torch_stages", "often"),
    ("queue_header", "X Request"),
    ("retry_header", "Idempotency-Key"),
    ("resource_seconds", 0),
    ("price_cpu_hour", -1),
    ("price_gpu_hour", float("nan")),
    ("price_thousand_tokens", -0.1),
    ("currency", "euro"),
    ("sources", {"price": 1}),
    ("consumers", [1]),
    ("lineage", ""),
    ("lineage_namespace", ""),
    ("lineage_token", "two words"),
    ("audit_log", "a\nb"),
    ("state_dir", ""),
    ("state_dir", "labels\0"),
    ("state_dir", "labels\n"),
    ("state_dir", "a\nb"),
    ("store", ""),
    ("worker", ""),
]


def test_a_text_that_is_none_is_said_to_be_none() -> None:
    with pytest.raises(ConfigError, match=r"found 'nothing \(None\)', expected a text"):
        Config(model=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_cannot_be_meant_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(**{name: value})  # type: ignore[arg-type]
    assert caught.value.field == name
    assert name in str(caught.value)
    assert caught.value.expected
    assert caught.value.remedy


def test_every_bounded_field_is_tried_with_a_bad_value() -> None:
    free = {"model_version", "code_version"}  # any text will do
    assert {name for name, _ in BAD} == {each.name for each in fields(Config)} - free


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("tolerance_warn", "tolerance_drift"),
        ("tolerance_drift", "tolerance_severe"),
        ("tolerance_drift", "material_js"),
    ],
)
def test_levels_that_must_ascend_are_held_to_it(lower: str, upper: str) -> None:
    level = getattr(Config(), lower)
    with pytest.raises(ConfigError, match=f"{upper} must lie above {lower}"):
        Config(**{upper: level})


def test_a_header_may_be_turned_off() -> None:
    assert Config(prediction_id_header=None).prediction_id_header is None


def test_an_argument_wins_over_environment_and_file(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("bins = 5")
    environ = {"SERVEWATCH_BINS": "6"}
    assert Config.load(path, environ=environ, bins=7).bins == 7


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("bins = 5")
    assert Config.load(path, environ={"SERVEWATCH_BINS": "6"}).bins == 6


def test_the_file_wins_over_the_default(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("bins = 5")
    assert Config.load(path, environ={}).bins == 5


def test_nothing_given_is_the_default() -> None:
    assert Config.load() == Config()


def test_the_process_environment_is_not_read_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVEWATCH_BINS", "5")
    assert Config.load().bins == 20


def test_an_unknown_argument_names_the_nearest_setting() -> None:
    with pytest.raises(ConfigError, match="did you mean 'block_seconds'"):
        Config.load(blok_seconds=1)


def test_a_refused_value_says_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "servewatch.toml"
    path.write_text("[block]\nseconds = -1")
    with pytest.raises(ConfigError) as caught:
        Config.from_toml(path)
    assert caught.value.where == str(path)


def test_a_budget_that_nothing_could_keep_is_refused() -> None:
    with pytest.raises(ConfigError, match="false_alarms_per_day is out of range"):
        Config(false_alarms_per_day=1e9)


def test_blocks_of_a_week_are_fine_with_the_usual_budget() -> None:
    assert Config(block_seconds=7 * 86400.0).block_seconds == 604800.0


def test_a_floor_is_a_number_by_name() -> None:
    assert Config(floors={"accuracy": 1}).floors == {"accuracy": 1.0}


def test_floors_stay_as_they_were_given() -> None:
    given = {"accuracy": 0.8}
    config = Config(floors=given)

    given["accuracy"] = 0.1

    assert config.floors == {"accuracy": 0.8}


def test_settings_that_differ_in_a_floor_are_not_equal() -> None:
    assert Config(floors={"accuracy": 0.8}) != Config(floors={"accuracy": 0.7})


def test_a_detector_that_is_on_may_gate() -> None:
    config = Config(detectors=("adwin", "ddm"), detectors_gate=("ddm",))
    assert config.detectors_gate == ("ddm",)
