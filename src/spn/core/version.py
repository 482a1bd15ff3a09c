"""Version and licence of the package: the place where they stand. `spn.__version__` and the build read it."""

__version__ = "0.1.0"
LICENCE = "CC-BY-NC-SA-4.0"
"""As SPDX calls it; of the code and of the weights that come with it."""
