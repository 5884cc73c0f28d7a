"""Requests that try again, known by the keys their clients name."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from time import monotonic

MOST_KEYS = 65_536
REMEMBERED_SECONDS = 600.0
_HASH_BYTES = 8


class Tries:
    """The keys of the last ten minutes, at most 65,536, as salted hashes of 64 bits.

    A full memory holds about 12 MB and takes two keys for one once in 10^14 requests.
    Only this process's keys are known: a retry that another worker answers is the first
    try there.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Remember no key yet; *clock* gives seconds that never go back."""
        self._clock = clock
        self._salt = os.urandom(16)
        self._seen: OrderedDict[int, float] = OrderedDict()  # by when they came last

    def __len__(self) -> int:
        """Give how many keys are remembered."""
        return len(self._seen)

    def count(self, keys: Iterable[bytes]) -> int:
        """Give how many of *keys* came before, here or up to ten minutes ago.

        >>> tries = Tries()
        >>> tries.count([b"order-7", b"order-8", b"order-7"])
        1
        >>> tries.count([b"order-8"])
        1
        """
        now, seen, salt = self._clock(), self._seen, self._salt
        since = now - REMEMBERED_SECONDS
        again = 0
        for key in keys:
            digest = blake2b(key, digest_size=_HASH_BYTES, key=salt).digest()
            name = int.from_bytes(digest, "little")
            before = seen.pop(name, None)
            again += before is not None and before >= since
            seen[name] = now
            if len(seen) > MOST_KEYS:
                seen.popitem(last=False)
        while seen and next(iter(seen.values())) < since:
            seen.popitem(last=False)
        return again
