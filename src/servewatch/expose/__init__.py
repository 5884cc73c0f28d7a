"""What ServeWatch shows: metrics, `/drift` and its gate, the page, and events."""
