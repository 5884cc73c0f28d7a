"""Sequential detectors of the literature on a stream of errors, chosen by name."""
