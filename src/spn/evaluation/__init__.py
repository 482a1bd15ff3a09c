"""Measures a network on domains it never saw: confusion matrices, protocols, and the results contract."""
