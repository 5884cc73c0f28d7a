from pathlib import Path

import pytest

from servewatch import Baseline
from tests.workers.world import a_baseline


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Baseline]:
    """Give a baseline and its file."""
    path = tmp_path_factory.mktemp("baseline") / "sum.baseline.json"
    return path, a_baseline(path)
