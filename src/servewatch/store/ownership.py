"""Whether a file of ours is ours alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from servewatch.errors import StoreError


def check_ownership(path: Path, found: os.stat_result, what: str) -> None:
    """Raise `StoreError` unless *path* is a regular file that only its owner may use.

    *found* is its state, *what* it is called in the error.

    >>> check_ownership(Path("/tmp"), Path("/tmp").stat(), "the audit log")
    Traceback (most recent call last):
    servewatch.errors.StoreError: the audit log needs a regular file...
    """
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(
            f"{what} needs a regular file", where=str(path), remedy="name another"
        )
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"{what} belongs to another user",
            where=str(path),
            found=found.st_uid,
            expected=str(os.geteuid()),
            remedy="name another, or `chown` it",
        )
    if found.st_mode & 0o077:
        raise StoreError(
            f"others may read or write {what}",
            where=str(path),
            found=f"{stat.S_IMODE(found.st_mode):04o}",
            expected="0600",
            remedy="`chmod 600` it",
        )
