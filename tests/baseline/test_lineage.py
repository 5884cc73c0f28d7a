"""A baseline built within a run names it, outside of what its digest covers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from servewatch.baseline import Baseline
from servewatch.baseline.describe import as_dict, headline
from servewatch.baseline.package import from_bytes, to_bytes
from servewatch.config import Config
from servewatch.config.current_run import CURRENT, CurrentRun

ROWS = {"x": [1.0, 2.0, None, 4.0], "p": [0.1, 0.2, 0.3, 0.4]}


@contextmanager
def within(run: CurrentRun) -> Iterator[None]:
    token = CURRENT.set(run)
    try:
        yield
    finally:
        CURRENT.reset(token)


def build(config: Config | None = None) -> Baseline:
    return Baseline.build(ROWS, prediction="p", config=config)


def test_the_run_it_was_built_in_is_named() -> None:
    with within(CurrentRun("run-7", "a1b2c3")):
        found = build()

    assert (found.lineage.run_id, found.lineage.code_version) == ("run-7", "a1b2c3")
    assert headline(found).endswith("; run run-7; code a1b2c3")
    assert as_dict(found)["run_id"] == "run-7"


def test_outside_of_any_run_none_is_named() -> None:
    found = build()

    assert (found.lineage.run_id, found.lineage.code_version) == ("", "")
    assert headline(found).endswith(f"; digest {found.digest[:12]}")


def test_a_code_version_in_the_settings_goes_before_the_runs() -> None:
    with within(CurrentRun("run-7", "a1b2c3")):
        found = build(Config(code_version="d4"))

    assert found.lineage.code_version == "d4"


def test_the_digest_is_the_same_in_every_run() -> None:
    with within(CurrentRun("run-7", "a1b2c3")):
        found = build()

    assert found.digest == build().digest


def test_the_file_keeps_the_run() -> None:
    with within(CurrentRun("run-7", "a1b2c3")):
        found = build()
    _, lineage = from_bytes(to_bytes(found.content, found.lineage), "file")

    assert lineage.run_id == "run-7"
