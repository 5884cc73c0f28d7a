"""Distances between two sets of counts, and the distance noise alone would show."""
