"""One file per built-in dataset: its name is the key, its `DATASET` the declaration."""
