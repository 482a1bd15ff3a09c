"""SPN: the Stochastic Prompt Network for sim-to-real generalised semantic segmentation."""

__version__ = "0.1.0"
