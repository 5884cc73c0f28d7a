"""A small baseline file, and ways to forge one whose digest fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import pytest

from servewatch.baseline import Baseline, package
from servewatch.errors import BaselineError

Tree = dict[str, Any]


def small() -> Baseline:
    random = np.random.default_rng(0)
    rows = {
        "x": random.normal(size=400),
        "c": random.choice(["u", "v", "w"], 400),
        "p": random.random(400),
    }
    return Baseline.build(rows, prediction="p", ordered=True, segments=["c"])


SMALL = small()


RAW = package.to_bytes(SMALL.content, SMALL.lineage)


def sealed(tree: Tree) -> bytes:
    """Give a file whose digest fits, whatever its content says."""
    content = msgspec.json.encode(tree["content"], order="sorted")
    return json.dumps(tree | {"digest": sha256(content).hexdigest()}).encode()


def changed(change: Callable[[Tree], object]) -> bytes:
    tree: Tree = json.loads(RAW)
    change(tree)
    return sealed(tree)


def column(tree: Tree, name: str = "x") -> Tree:
    found: Tree = next(c for c in tree["content"]["columns"] if c["name"] == name)
    return found


def refused(raw: bytes) -> str:
    with pytest.raises(BaselineError) as caught:
        package.from_bytes(raw, "a.json")
    message = str(caught.value)
    assert "a.json" in message
    assert caught.value.remedy
    return message
