"""A digest of a fitted model: the same after a round trip, another after any change.

The model is walked without being pickled. Containers are hashed by what they hold,
arrays by type, shape and bytes, everything else by its class and the state that it
shows to whoever copies it. What only says how to compute, or is drawn anew, is left
out: `n_jobs`, `verbose`, caches, and where a random generator stands.
"""

from __future__ import annotations

import random
import re
import struct
import time
import types
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.model_state import (
    attributes,
    full_name,
    is_ignored,
    scalar_bytes,
    tensor_values,
)

MOST_BYTES = 256 * 1024 * 1024
MOST_SECONDS = 2.0
OWN_BYTES = ("save_raw", "model_to_string")  # xgboost, lightgbm
SEARCH_TREES = ("sklearn.neighbors._kd_tree.", "sklearn.neighbors._ball_tree.")
RANDOM = (
    random.Random,
    np.random.Generator,
    np.random.RandomState,
    np.random.BitGenerator,
)
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Fingerprint(NamedTuple):
    """A digest in hexadecimal, or None and why there is none."""

    digest: str | None
    reason: str | None


def model_digest(model: object) -> str | None:
    """Give the SHA-256 of a fitted model; None where `fingerprint` says why.

    >>> model_digest({"weights": [0.5, 2.0]}) == model_digest({"weights": [0.5, 2.0]})
    True
    >>> model_digest({"weights": [0.5, 2.0]}) == model_digest({"weights": [0.5, 2.1]})
    False
    """
    return fingerprint(model).digest


def fingerprint(
    model: object, *, most_bytes: int = MOST_BYTES, most_seconds: float = MOST_SECONDS
) -> Fingerprint:
    """Give the digest of a fitted model, or why there is none; raises nothing.

    There is none of a model that shows no state, holds more than *most_bytes* of
    arrays and texts, takes longer than *most_seconds*, or is nested too deep.

    >>> fingerprint(memoryview(b"")).reason
    'builtins.memoryview shows no state'
    """
    try:
        return Fingerprint(_Walk(most_bytes, most_seconds).digest(model).hex(), None)
    except _NoDigest as error:
        return Fingerprint(None, str(error))
    except RecursionError:
        return Fingerprint(None, "nested too deep")
    except Exception as error:  # noqa: BLE001 - the model's own code runs in here
        return Fingerprint(None, f"{type(error).__name__} in its state")


class _NoDigest(Exception):  # noqa: N818 - no error of the user's
    """There is no digest; the message says why."""


class _Walk:
    """Hashes each object once; one that contains itself by how far up it stands.

    `_known` keeps digests of finished objects, and the objects, so that no address is
    used twice; `_open` the depth of those not finished. `_reach` is the least depth
    that something below referred to: what refers above itself depends on its place,
    and is hashed anew elsewhere.
    """

    def __init__(self, most_bytes: int, most_seconds: float) -> None:
        self._most_bytes, self._most_seconds = most_bytes, most_seconds
        self._left = most_bytes
        self._deadline = time.monotonic() + most_seconds
        self._known: dict[int, tuple[bytes, object]] = {}
        self._open: dict[int, int] = {}
        self._reach = len(self._open)

    def digest(self, value: object) -> bytes:
        """Give the SHA-256 of *value*."""
        scalar = scalar_bytes(value)
        if scalar is not None:
            return self._hashed(b"scalar", scalar)
        found = self._known.get(id(value))
        if found is not None:
            return found[0]
        depth = self._open.get(id(value))
        if depth is not None:
            self._reach = min(self._reach, depth)
            return self._hashed(b"above", b"%d" % (len(self._open) - depth))
        if time.monotonic() > self._deadline:
            raise _NoDigest(f"takes longer than {self._most_seconds:g} s")
        own, outer = len(self._open), self._reach
        self._open[id(value)], self._reach = own, own
        try:
            made = self._of(value)
        finally:
            del self._open[id(value)]
        if self._reach >= own:
            self._known[id(value)] = made, value
        self._reach = min(outer, self._reach)
        return made

    def _of(self, value: Any) -> bytes:
        match value:
            case np.ndarray():
                return self._array(value)
            case list() | tuple() if type(value) in {list, tuple}:
                return self._all(type(value).__name__, value)
            case dict() if type(value) is dict:
                return self._items("dict", value)
            case set() | frozenset():
                return self._all(full_name(type(value)), value, in_order=False)
            case type() | types.ModuleType() | np.ufunc():
                return self._hashed(b"name", full_name(value).encode())
            case types.BuiltinFunctionType():
                bound = self.digest(value.__self__)  # its module, or what it works on
                return self._hashed(b"name", full_name(value).encode(), bound)
            case types.FunctionType():
                return self._function(value)
            case types.CodeType():
                return self._code(value)
            case np.dtype():
                return self._hashed(b"dtype", repr(value).encode())
        return self._instance(value)

    def _instance(self, value: Any) -> bytes:
        kind = type(value)
        name = full_name(kind)
        if isinstance(value, RANDOM) or name.startswith(("_thread.", "threading.")):
            return self._hashed(b"class", name.encode())
        for method in OWN_BYTES:
            if callable(getattr(kind, method, None)):
                raw = getattr(value, method)()
                text = raw.encode() if isinstance(raw, str) else bytes(raw)
                return self._hashed(method.encode(), name.encode(), text)
        if callable(getattr(kind, "state_dict", None)):
            layers = ADDRESS.sub("", repr(value)).encode()
            tensors = {key: tensor_values(t) for key, t in value.state_dict().items()}
            return self._hashed(b"state", name.encode(), layers, self.digest(tensors))
        if name.startswith(SEARCH_TREES):  # they count how often they were asked
            return self._hashed(b"tree", name.encode(), self.digest(value.get_arrays()))
        if name.startswith("scipy.sparse."):
            return self._sparse(name, value)
        return self._state(name, value)

    def _state(self, name: str, value: Any) -> bytes:
        """Hash what `copy` and `pickle` would be given: a call, its state, its items.

        That reaches what lies outside `__dict__`, such as the trees of a forest.
        """
        try:
            reduced = value.__reduce_ex__(2)
        except TypeError:
            reduced = attributes(value)
            if reduced is None:
                raise _NoDigest(f"{name} shows no state") from None
        if isinstance(reduced, str):
            return self._hashed(b"name", name.encode(), reduced.encode())
        call, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        parts = [
            self.digest(call),
            self._all("tuple", arguments),
            self._kept(state),
            self._all("items", () if items is None else list(items)),
            self._items("pairs", {} if pairs is None else dict(pairs)),
        ]
        return self._hashed(b"object", name.encode(), *parts)

    def _kept(self, state: object) -> bytes:
        """Hash a state without the attributes that mean nothing."""
        if isinstance(state, Mapping):
            kept = {k: each for k, each in state.items() if not is_ignored(k, each)}
            return self._items("state", kept) if kept else self.digest(None)
        if isinstance(state, tuple) and len(state) == 2:  # __dict__ and __slots__
            return self._hashed(b"both", *map(self._kept, state))
        return self.digest(state)

    def _array(self, value: NDArray[Any]) -> bytes:
        shape = repr(value.shape).encode()
        if isinstance(value, np.ma.MaskedArray):
            parts = (value.filled(0), np.ma.getmaskarray(value))
            return self._hashed(b"masked", shape, *map(self.digest, parts))
        if value.dtype.names is not None:  # field by field: padding holds anything
            fields = [
                self._hashed(name.encode(), self._array(np.asarray(value[name])))
                for name in value.dtype.names
            ]
            return self._hashed(b"fields", shape, *fields)
        if value.dtype.hasobject:
            return self._hashed(b"objects", shape, self._all("list", value.ravel()))
        self._pay(value.nbytes)
        plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        made = sha256(b"array" + plain.dtype.str.encode() + shape)
        if plain.nbytes:
            made.update(plain.reshape(-1).view(np.uint8).data)
        return made.digest()

    def _sparse(self, name: str, value: Any) -> bytes:
        rows = value.tocsr(copy=True)
        rows.sum_duplicates()
        parts = (rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data)
        shape = repr(value.shape).encode()
        return self._hashed(b"sparse", name.encode(), shape, *map(self.digest, parts))

    def _function(self, value: types.FunctionType) -> bytes:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        parts = (value.__code__, value.__defaults__, value.__kwdefaults__, cells)
        name = full_name(value).encode()
        return self._hashed(b"function", name, *map(self.digest, parts))

    def _code(self, code: types.CodeType) -> bytes:
        """Hash what runs, not where it stands in a file."""
        parts = (code.co_code, code.co_consts, code.co_names, code.co_varnames)
        return self._hashed(b"code", *map(self.digest, parts))

    def _all(self, name: str, values: Iterable[Any], *, in_order: bool = True) -> bytes:
        digests = [self.digest(each) for each in values]
        return self._hashed(name.encode(), *(digests if in_order else sorted(digests)))

    def _items(self, name: str, values: Mapping[Any, Any]) -> bytes:
        pairs = [(self.digest(key), self.digest(each)) for key, each in values.items()]
        return self._hashed(name.encode(), *map(b"".join, sorted(pairs)))

    def _hashed(self, *parts: bytes) -> bytes:
        made = sha256()
        for part in parts:
            self._pay(len(part))
            made.update(struct.pack("<Q", len(part)))
            made.update(part)
        return made.digest()

    def _pay(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _NoDigest(f"holds more than {self._most_bytes:,} bytes")
