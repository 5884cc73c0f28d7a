"""A real model on real data, served, watched, and fed a fault: `servewatch demo`."""
