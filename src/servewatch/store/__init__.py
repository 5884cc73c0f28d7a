"""Where windows of all workers meet: the Store protocol and its implementations."""
