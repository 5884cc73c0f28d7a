import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_component_on_the_path_is_found(
    require_component: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Path(sys.executable)
    monkeypatch.setenv("PATH", str(python.parent))
    assert require_component(python.name) == python


def test_a_component_that_is_not_there_skips(
    require_component: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVEWATCH_REQUIRE_COMPONENTS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make debs"):
        require_component("no-such-program")


def test_a_component_that_is_required_fails(
    require_component: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVEWATCH_REQUIRE_COMPONENTS", "1")
    with pytest.raises(pytest.fail.Exception, match="make debs"):
        require_component("no-such-program")
