"""A training of fakes for torchrun: python parallel_program.py RUN_FOLDER STEPS."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from spn.training.config import OptimisationConfig, TrainConfig
from spn.training.session import Ingredients, run_training
from training.fakes import FakeNetwork, Styled, fake_config, fake_ingredients, write_image


def gather(config: TrainConfig) -> Ingredients:
    """No batch norm and no noise, so that the number of processes makes no difference but rounding."""
    logging.getLogger("spn.parallel_program").info("gathered once")
    styles = config.out.parent / "styles"
    for number in range(0 if styles.exists() else 3):  # the first process, before the others look
        write_image(styles / f"{number}.png", (20, 24), seed=number)
    method = Styled(styles, noise=0.0)
    return fake_ingredients(config, network=FakeNetwork(norm=False), method=method, scores=[0.1] * 99)


def config(out: Path, *, steps: int = 6) -> TrainConfig:
    """With a running average."""
    optimisation = OptimisationConfig(batch_size=4, learning_rate=0.05, ema_decay=0.9)
    return fake_config(out, steps=steps, optimisation=optimisation)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run_training(config(Path(sys.argv[1]), steps=int(sys.argv[2])), gather=gather)
