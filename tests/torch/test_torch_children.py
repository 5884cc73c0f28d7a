"""Children of a real torch module are stages, and the module answers as before."""

from __future__ import annotations

import copy
import importlib
import io
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from servewatch.capture.torch_children import stage_children
from servewatch.record.recorder import Recorder

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def torch() -> Any:
    """Give torch, which only these tests need."""
    return importlib.import_module("torch")


@pytest.fixture
def recorder() -> Recorder:
    """Give a recorder that keeps what it is told."""
    found = Recorder(on_full=lambda: None)
    found.stage_runs.make_room(is_open=True)
    return found


@pytest.fixture
def net(torch: Any) -> Any:
    """Give a module with two children that it calls, and a list of two more."""
    nn = torch.nn
    torch.manual_seed(0)

    class Net(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
            self.blocks = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
            self.head = nn.Linear(8, 1)

        def forward(self, rows: Any) -> Any:
            found = self.encoder(rows)
            for block in self.blocks:
                found = block(found)
            return self.head(found)

    return Net().eval()


def names(recorder: Recorder) -> list[str]:
    """Name the stages that ran, in order."""
    return [run[0] for run in recorder.stage_runs.take()]


STAGES = ["encoder", "blocks/0", "blocks/1", "head"]


def test_each_child_is_a_stage_and_the_answer_the_same(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    rows = torch.randn(5, 4)
    expected = net(rows)

    stage_children(net, recorder)

    assert torch.equal(net(rows), expected)
    runs = recorder.stage_runs.take()
    assert [run[0] for run in runs] == STAGES
    assert all(run[1] > 0 and run[2] == 5 and run[3] is None for run in runs)
    assert not recorder.totals.internal_errors


def test_removed_hooks_leave_the_module_as_it_was(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    before = pickle.dumps([dict(each._forward_hooks) for each in net.modules()])
    remove = stage_children(net, recorder)

    remove()
    remove()

    net(torch.randn(1, 4))
    after = pickle.dumps([dict(each._forward_hooks) for each in net.modules()])
    assert (after, names(recorder)) == (before, [])


def test_a_child_that_raises_fails_its_stage_and_the_error_is_unchanged(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    rows = torch.randn(2, 3)
    with pytest.raises(RuntimeError) as bare:
        net(rows)
    stage_children(net, recorder)

    with pytest.raises(RuntimeError) as taken:
        net(rows)

    assert str(taken.value) == str(bare.value)
    assert [(run[0], run[3]) for run in recorder.stage_runs.take()] == [
        ("encoder", "RuntimeError")
    ]
    net(torch.randn(2, 4))
    assert names(recorder) == STAGES


def test_a_call_from_within_an_except_block_has_not_failed(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    stage_children(net, recorder)
    try:
        int("an earlier one")
    except ValueError:
        net(torch.randn(1, 4))

    assert [run[3] for run in recorder.stage_runs.take()] == [None] * 4


def test_an_interrupted_child_is_forgotten_and_the_next_call_is_whole(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    stage_children(net, recorder)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    handle = net.head.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        net(torch.randn(1, 4))
    handle.remove()
    recorder.stage_runs.take()

    net(torch.randn(1, 4))

    assert names(recorder) == STAGES


def test_many_interrupted_children_leave_nothing_behind(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    stage_children(net, recorder)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    handle = net.encoder.register_forward_pre_hook(interrupt)
    for _ in range(200):
        with pytest.raises(KeyboardInterrupt):
            net(torch.randn(1, 4))
    handle.remove()
    recorder.stage_runs.take()

    net(torch.randn(1, 4))

    assert names(recorder) == STAGES
    assert not recorder.totals.internal_errors


def _copied(torch: Any, net: Any) -> Any:
    return copy.deepcopy(net)


def _stored(torch: Any, net: Any) -> Any:
    file = io.BytesIO()
    torch.save(net.head, file)
    assert b"servewatch" not in file.getvalue()
    file.seek(0)
    net.head = torch.load(file, weights_only=False)
    return net


@pytest.mark.parametrize("keep", [_copied, _stored])
def test_a_copy_answers_alike_and_is_not_watched(
    torch: Any, net: Any, recorder: Recorder, keep: Callable[..., Any]
) -> None:
    rows = torch.randn(3, 4)
    expected = net(rows)
    stage_children(net, recorder)

    kept = keep(torch, net)

    assert torch.equal(kept(rows), expected)
    assert "head" not in names(recorder)


def test_threads_do_not_mix_their_children(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    stage_children(net, recorder)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(net, [torch.randn(1, 4) for _ in range(500)]))

    assert Counter(names(recorder)) == dict.fromkeys(STAGES, 500)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("compiled", ["jit", "compile"])
def test_what_is_compiled_is_left_alone(
    torch: Any, recorder: Recorder, compiled: str
) -> None:
    plain = torch.nn.Sequential(torch.nn.Linear(4, 1))
    module = (
        torch.jit.trace(plain, torch.randn(1, 4))
        if compiled == "jit"
        else torch.compile(plain, backend="eager")
    )

    stage_children(module, recorder)

    module(torch.randn(1, 4))
    assert (names(recorder), dict(recorder.totals.internal_errors)) == ([], {})


def test_a_module_that_refuses_hooks_is_counted_and_goes_on(
    torch: Any, net: Any, recorder: Recorder
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no hooks here")

    net.head.register_forward_pre_hook = refuse

    stage_children(net, recorder)

    net(torch.randn(1, 4))
    assert names(recorder) == []  # those set before are gone again
    assert recorder.totals.internal_errors == {"torch": 1}


def test_torch_is_not_imported_for_it() -> None:
    code = "import sys, servewatch.capture.torch_children; assert 'torch' not in "
    subprocess.run([sys.executable, "-c", f"{code}sys.modules"], check=True)
