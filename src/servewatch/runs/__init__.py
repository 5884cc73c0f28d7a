"""Batch jobs of the model's life, watched like serving: `run`."""
