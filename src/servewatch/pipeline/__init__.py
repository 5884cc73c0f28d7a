"""What happens around the model: resources, failures and retries, lineage."""
