"""A procedural street: image, label and metric depth from a seed, written in the layouts of real datasets."""

from typing import Final

RENDERING: Final = 3
"""Version of what is drawn: frames of two versions must not mix in one folder. Raise it with every change
after which the same seed gives another picture, label or depth (tests/simulator/test_rendering.py notices),
not for one that leaves frames as they were."""
