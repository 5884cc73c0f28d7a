"""Late labels joined with what was predicted, and what they say of the model."""
