from __future__ import annotations

import json

import pytest

from servewatch.config import Config
from servewatch.pipeline.lineage import LineageFacts, Source, settings_facts


def test_the_code_version_of_the_settings_goes_before_the_baselines() -> None:
    assert LineageFacts.of(Config(), code_version="built").code_version == "built"
    assert (
        LineageFacts.of(Config(code_version="served"), code_version="b").code_version
        == "served"
    )


def test_what_is_not_known_is_not_said() -> None:
    facts = LineageFacts.of(
        Config(model="demand", consumers=("pricing",)),
        model_digest="ab",
        stages=["encode"],
        deployed_at=1.5,
    )

    told = facts.to_dict()

    assert told == json.loads(json.dumps(told))
    assert told.pop("servewatch")
    assert told == {
        "model": "demand",
        "model_digest": "ab",
        "stages": ["encode"],
        "consumers": ["pricing"],
        "deployed_at": "1970-01-01T00:00:01Z",
    }


@pytest.mark.parametrize(
    ("named", "source"),
    [
        ("warehouse.sales.net", Source("warehouse.sales", "net")),
        ("sales.net", Source("sales", "net")),
        ("sales", Source("sales", "price")),
        ("sales.", Source("sales.", "price")),
        (".net", Source(".net", "price")),
        ("", None),
    ],
)
def test_the_last_part_of_a_source_is_the_field(
    named: str, source: Source | None
) -> None:
    assert LineageFacts(model="m", sources={"price": named}).source("price") == source


def test_another_setting_is_another_digest_and_a_secret_is_none() -> None:
    one = settings_facts(Config())
    assert one["settings"] == {}
    assert settings_facts(Config(token="secret")) == one
    other = settings_facts(Config(informational=("week",)))
    assert other["settings"] == {"informational": ["week"]}
    assert other["config_digest"] != one["config_digest"]


def test_no_password_is_told() -> None:
    config = Config(
        lineage="https://ann:secret@lineage.example/x",
        sources={"price": "postgres://ann:secret@db/sales"},
    )

    assert settings_facts(config)["settings"] == {
        "lineage": "https://lineage.example/x",
        "sources": {"price": "postgres://db/sales"},
    }
