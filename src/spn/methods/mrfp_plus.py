"""MRFP+: MRFP whose texture also reaches the decoder (Udupa et al., CVPR 2024; equations in mrfp.py).

The widest map U of the random autoencoder is added to the features that the decoder classifies, with chance
½. Ours: U has as many channels as these features, so that nothing has to fit the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spn.methods.mrfp import MRFP
from spn.methods.options import METHODS, MethodOptions


@dataclass(frozen=True)
class MRFPPlusOptions(MethodOptions):
    """Features perturbed at several resolutions, up to the decoder's last."""

    kind: Literal["mrfp_plus"] = "mrfp_plus"


@METHODS.register("mrfp_plus", options=MRFPPlusOptions, title="MRFP+")
class MRFPPlus(MRFP):
    reaches_decoder = True
