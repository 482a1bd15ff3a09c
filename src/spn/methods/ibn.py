"""IBN-Net (a): instance and batch normalisation side by side in the encoder (Pan et al., ECCV 2018).

A change of the network alone (spn.models.encoders.instance_batch_norm); the loss is the baseline's.
"""

from __future__ import annotations

import dataclasses

from spn.methods.baseline import Baseline
from spn.models.config import ModelConfig


class IBN(Baseline):
    name = "ibn"

    def model_config(self, base: ModelConfig) -> ModelConfig:
        model = super().model_config(base)
        return dataclasses.replace(model, encoder=dataclasses.replace(model.encoder, ibn=True))
