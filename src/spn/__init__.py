"""SPN: the Stochastic Prompt Network for sim-to-real generalised semantic segmentation."""

from spn.core.version import __version__ as __version__
