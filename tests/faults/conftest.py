"""Figures measured on the way are shown at the end of a run."""

from collections.abc import Callable

import pytest

# Programs of their own; to import them is to start a watch.
collect_ignore = ["forking.py", "preloaded.py"]

Record = Callable[[str, object], None]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Give a function that notes a figure of this test."""

    def note(name: str, value: object) -> None:
        request.node.user_properties.append((name, value))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name} = {value}")
