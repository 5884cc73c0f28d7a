# Programs of their own; to import them is to start a watch.
collect_ignore = ["forking.py", "preloaded.py"]
