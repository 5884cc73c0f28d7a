"""What every test may use: real components, and one way to draw examples."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
FETCHED = ROOT / ".tools" / "usr" / "bin"  # by `make debs`

# CI draws the same examples every time, so that red means the change. A deadline would
# only measure the machine.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def require_component() -> Callable[[str], Path]:
    """Give the path of a real program, such as ``require_component("promtool")``.

    Without it the test is skipped, or fails under SERVEWATCH_REQUIRE_COMPONENTS=1.
    """

    def find(name: str) -> Path:
        found = shutil.which(name, path=FETCHED) or shutil.which(name)
        if found is not None:
            return Path(found)
        reason = f"the real {name} is neither in .tools nor on the PATH; make debs"
        if os.environ.get("SERVEWATCH_REQUIRE_COMPONENTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return find


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Give a function that notes a figure of this test, which is shown at the end."""

    def note(name: str, value: object) -> None:
        request.node.user_properties.append((name, value))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures that tests measured on the way."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name} = {value}")
