"""Bounded, mergeable summaries: bins, counts, moments, reservoirs, windows."""
