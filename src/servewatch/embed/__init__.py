"""`ServeWatch`: puts the rooms together and decides nothing itself."""

from servewatch.embed.watch import ServeWatch

__all__ = ["ServeWatch"]
