"""Numbers over time to decisions: witness sets, evidence, verdicts, the gate."""
