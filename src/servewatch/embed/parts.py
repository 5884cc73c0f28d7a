"""What a watch is made of, chosen by its settings."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import replace

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.errors import ConfigError
from servewatch.store.memory import MemoryStore


def named_by(baseline: Baseline | None, config: Config) -> Config:
    """Let a baseline name the model where nobody else does.

    >>> named_by(None, Config(model="demand")).model
    'demand'
    """
    if baseline is None or config.model != Config.model:
        return config
    version = config.model_version or baseline.version
    return replace(config, model=baseline.model, model_version=version)


def store_for(config: Config) -> MemoryStore:
    """Give the store that *config* asks for; raises `ConfigError` for another.

    >>> type(store_for(Config())).__name__
    'MemoryStore'
    """
    for name in ("store", "state_dir"):
        given, known = getattr(config, name), getattr(Config, name)
        if given != known:
            raise ConfigError(
                f"there is no {name} but the default yet",
                field=name,
                found=given,
                expected=repr(known),
                remedy=f"leave {name} out: state is kept in memory",
            )
    return MemoryStore()


def worker_name() -> str:
    """Name this process as no other, of this host or another, is named.

    >>> worker_name() == worker_name()
    False
    """
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
