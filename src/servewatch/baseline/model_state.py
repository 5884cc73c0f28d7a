"""What of a model counts for its digest, and as which bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

IGNORED = frozenset(
    {  # as long as they are plain values
        "n_jobs",
        "n_threads",
        "nthread",
        "num_threads",
        "thread_count",
        "verbose",
        "memory",  # where a Pipeline caches
        "_sklearn_version",
        "_stop_words_id",  # an address in memory
        "_deprecated_key_to_warnings",  # of a Bunch, and gone once it was pickled
    }
)
"""Attributes that say nothing of what the model answers."""


def scalar_bytes(value: Any) -> bytes | None:
    """Give a plain value by its type and all of its digits; None for anything else.

    >>> scalar_bytes(1), scalar_bytes(1.0), scalar_bytes([1])
    (b'int 1', b'float 1.0', None)
    """
    if isinstance(value, np.generic) and not isinstance(value, np.void | np.object_):
        return value.dtype.newbyteorder("<").str.encode() + value.tobytes()
    if type(value) in {bytes, bytearray}:
        return b"bytes" + bytes(value)
    if type(value) is str:
        return b"str" + value.encode("utf-8", "surrogatepass")
    if value is None or value is ... or type(value) in {bool, int, float, complex}:
        return f"{type(value).__name__} {value!r}".encode()
    return None


def full_name(value: Any) -> str:
    """Give the name by which a class, a function or a module is imported.

    >>> full_name(np.ndarray), full_name(np)
    ('numpy.ndarray', 'numpy')
    """
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
    module = getattr(value, "__module__", None)
    return f"{module}.{name}" if module else str(name)


def is_ignored(name: object, value: object) -> bool:
    """Whether the attribute *name* with this *value* says nothing of the answers.

    >>> is_ignored("n_jobs", 4), is_ignored("memory", np.ones(3))
    (True, False)
    """
    if name not in IGNORED:
        return False
    is_empty = isinstance(value, dict) and not value
    is_plain = value is None or isinstance(value, bool | int | str) or is_empty
    return is_plain or full_name(type(value)).startswith("joblib.")


def attributes(value: object) -> tuple[Any, ...] | None:
    """Give the class and attributes of an object that does not want to be copied.

    None where it shows none, for then nobody knows what it is.

    >>> attributes(iter([])) is None
    True
    """
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    return (type(value), (), found) if found else None


def tensor_values(tensor: Any) -> Any:
    """Give a tensor as an array, and anything else as it is.

    Numbers of 16 bits that numpy lacks become wider ones, which loses nothing.

    >>> tensor_values(3)
    3
    """
    if not callable(getattr(type(tensor), "detach", None)):
        return tensor
    tensor = tensor.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.float().numpy()
