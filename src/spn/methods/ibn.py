"""IBN-Net (a): instance and batch normalisation side by side in the encoder (Pan et al., ECCV 2018).

A change of the network alone (spn.models.encoders.style_parts); the loss is the baseline's.
"""

from __future__ import annotations

from spn.methods.base import Baseline


class IBN(Baseline):
    """The baseline's loss on a network with IBN (methods/options.py)."""
