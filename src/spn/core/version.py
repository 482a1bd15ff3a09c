"""The version of the package: the one place where it stands. `spn.__version__` and the build read it."""

__version__ = "0.1.0"
