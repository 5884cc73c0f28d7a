"""From the request path to a Window: snapshots, the bounded buffer, the drain."""
