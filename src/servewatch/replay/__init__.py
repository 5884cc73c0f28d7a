"""Yesterday's log through the very code that judges live traffic, on event time."""

from servewatch.replay.replay import Changed, Replay

__all__ = ["Changed", "Replay"]
