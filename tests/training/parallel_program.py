"""A training of fakes for torchrun: python parallel_program.py RUN_FOLDER STEPS."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from spn.training.config import TrainConfig
from spn.training.session import Ingredients, run_training
from training.fakes import FakeMethod, FakeNetwork, fake_config, fake_ingredients


def gather(config: TrainConfig) -> Ingredients:
    """No batch norm and no noise, so that the number of processes makes no difference but rounding."""
    logging.getLogger("spn.parallel_program").info("gathered once")
    return fake_ingredients(
        config, network=FakeNetwork(norm=False), method=FakeMethod(noise=0.0), scores=[0.1] * 99
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run_training(fake_config(Path(sys.argv[1]), steps=int(sys.argv[2])), gather=gather)
