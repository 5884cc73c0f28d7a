"""Every model of every baseline has a file of labels of its own."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servewatch import Baseline, Config
from servewatch.embed.labels import inbox_for


def rows(seed: int) -> dict[str, Any]:
    x = np.random.default_rng(seed).normal(size=400)
    return {"x": x, "y": (x > 0.5).astype(int), "said": (x > 0).astype(int)}


BASELINE, OTHER = (
    Baseline.build(rows(seed), evaluation=rows(seed), target="y", prediction="said")
    for seed in (1, 2)
)


def name(folder: Path, model: str, baseline: Baseline = BASELINE) -> str:
    """Give the one name that is new in *folder* once the file of *model* is open."""
    before = set(folder.iterdir())
    config = Config(model=model, state_dir=str(folder))
    inbox = inbox_for(config, baseline, lambda: 0.0)
    assert inbox is not None
    inbox.store.close()
    (made,) = set(folder.iterdir()) - before
    return made.name


@pytest.mark.parametrize(
    ("one", "other"),
    [("m/1", "m 1"), ("m/1", "m-1"), ("a" * 64 + "b", "a" * 64 + "c"), ("é", "ü")],
)
def test_models_that_are_spelt_alike_have_files_of_their_own(
    tmp_path: Path, one: str, other: str
) -> None:
    assert name(tmp_path, one) != name(tmp_path, other)


def test_a_name_says_the_model_and_the_baseline(tmp_path: Path) -> None:
    model = sha256(b"m/1").hexdigest()[:8]

    assert name(tmp_path, "m/1") == f"m-1-{model}-{BASELINE.digest[:12]}.labels"


def test_another_baseline_has_another_file(tmp_path: Path) -> None:
    assert name(tmp_path, "m") != name(tmp_path, "m", OTHER)


def test_a_name_that_is_no_unicode_names_a_file_all_the_same(tmp_path: Path) -> None:
    assert name(tmp_path, "m\udcff").startswith("m--")
