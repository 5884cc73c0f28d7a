import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import servewatch

SOURCE = Path(servewatch.__file__)


def typed_names() -> set[str]:
    """Names that the type checker sees: those under `if TYPE_CHECKING`."""
    return {
        alias.name
        for node in ast.parse(SOURCE.read_text()).body
        if isinstance(node, ast.If)
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


@pytest.mark.parametrize("name", servewatch.__all__)
def test_every_name_in_all_can_be_had(name: str) -> None:
    assert getattr(servewatch, name) is not None


def test_all_equals_the_public_names() -> None:
    for name in servewatch.__all__:
        getattr(servewatch, name)
    found = {
        name
        for name, value in vars(servewatch).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert found - {"TYPE_CHECKING"} == set(servewatch.__all__) - {"__version__"}


def test_the_type_checker_sees_the_same_names() -> None:
    assert typed_names() == set(servewatch.__all__) - {"__version__"}


def test_dir_offers_the_names_before_their_first_use() -> None:
    assert set(servewatch.__all__) <= set(dir(servewatch))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        servewatch.no_such_name  # noqa: B018


def in_fresh_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_importing_starts_no_thread() -> None:
    code = "import servewatch, threading; print(threading.active_count())"
    assert in_fresh_python(code) == "1"


def test_importing_opens_nothing_but_modules() -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(args[0]))
import servewatch
print([path for path in opened if not str(path).endswith((".py", ".pyc"))])
"""
    assert in_fresh_python(code) == "[]"


def test_importing_reads_no_environment() -> None:
    code = """
import os
read = []
class Watched(dict):
    def __getitem__(self, key): read.append(key); return super().__getitem__(key)
    def get(self, key, default=None): read.append(key); return super().get(key, default)
os.environ = Watched()
import servewatch
print(read)
"""
    assert in_fresh_python(code) == "[]"


def test_importing_adds_no_log_handler() -> None:
    code = "import servewatch, logging; print(logging.getLogger().handlers)"
    assert in_fresh_python(code) == "[]"


def test_importing_brings_in_no_other_package() -> None:
    code = """
import sys
before = set(sys.modules)
import servewatch
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names)))
"""
    assert in_fresh_python(code) == "['servewatch']"


def test_the_import_of_the_settings_brings_in_no_other_package() -> None:
    code = """
import sys
before = set(sys.modules)
from servewatch import Config
Config()
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names)))
"""
    assert in_fresh_python(code) == "['servewatch']"
