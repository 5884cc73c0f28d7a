"""Every server, once bare and once watched, for as long as the tests run."""

from collections.abc import Callable, Iterator

import pytest

from tests.servers.running import COMMANDS, Server

Pair = tuple[Server, Server]
Record = Callable[[str, object], None]


@pytest.fixture(scope="session", params=COMMANDS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Give the same server with the bare application and with the watched one."""
    folder = tmp_path_factory.mktemp("servers")
    bare = Server(request.param, folder, watched=False)
    try:
        watched = Server(request.param, folder, watched=True)
        try:
            yield bare, watched
        finally:
            watched.stop()
    finally:
        bare.stop()
