"""For every test: one thread each, no display, no downloads, and property tests that repeat exactly."""

from __future__ import annotations

import os

# Before anything imports NumPy or torch: pytest runs one process per core (see the Makefile).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")
