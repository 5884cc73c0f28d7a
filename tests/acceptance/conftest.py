"""What experiments measure is kept beside their verdict: `--junitxml` shows it."""

from collections.abc import Callable

import pytest


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Give a function that notes a figure of this test."""

    def note(name: str, value: object) -> None:
        request.node.user_properties.append((name, value))

    return note
