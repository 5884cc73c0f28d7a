"""Every setting of ServeWatch, from arguments, environment and file."""

from servewatch.config.settings import Config

__all__ = ["Config"]
