from pathlib import Path

import pytest

from scripts.check_sizes import FUNCTION_LINES, MODULE_LINES, main, oversized


def test_a_module_at_the_ceiling_passes(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("x = 1\n" * MODULE_LINES)
    assert list(oversized(path)) == []


def test_a_module_past_the_ceiling_is_named(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("x = 1\n" * (MODULE_LINES + 1))
    assert [str(path) in sentence for sentence in oversized(path)] == [True]


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_past_the_ceiling_is_named(tmp_path: Path, keyword: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(f"{keyword} long():\n" + "    x = 1\n" * FUNCTION_LINES)
    (sentence,) = oversized(path)
    assert "long has 61 lines" in sentence


def test_a_function_at_the_ceiling_passes(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("def short():\n" + "    x = 1\n" * (FUNCTION_LINES - 1))
    assert list(oversized(path)) == []


def test_the_exit_code_says_whether_anything_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text("x = 1\n")
    assert main([str(tmp_path)]) == 0
    (tmp_path / "long.py").write_text("x = 1\n" * (MODULE_LINES + 1))
    assert main([str(tmp_path)]) == 1


def test_a_folder_without_python_is_a_mistake(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2
