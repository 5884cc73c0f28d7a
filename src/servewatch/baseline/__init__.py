"""The packaged training-time profile: build, save, load, compare."""

from servewatch.baseline.baseline import Baseline
from servewatch.baseline.difference import diff

__all__ = ["Baseline", "diff"]
