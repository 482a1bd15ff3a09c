"""One small file from a run: its weights in half precision, and the test-time augmentation they go with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from spn.core.errors import CheckpointError, UserError
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import LoadedNetwork, load_network, save_network


def release(checkpoints: Sequence[Path], out: Path, *, tta: TestTimeAugmentation | None = None) -> None:
    """Write the weights of a run, or the mean of those of several, to `out` in half precision.

    Args:
        checkpoints: run folders, checkpoint folders or .safetensors files.
        out: a .safetensors file.
        tta: what they are released for: `spn.load` uses it unless asked for another.

    Raises:
        UserError: an `out` or `tta` that nothing could be made of, or no checkpoint.
        CheckpointError: as `load_average`.
    """
    tta = None if tta == TestTimeAugmentation() else tta
    if not checkpoints:
        raise UserError("no run was named; wanted one or more run folders, checkpoint folders or weights")
    if tta and tta.input_height is None:
        raise UserError(
            "test-time augmentation without an input height; wanted --input-height, that it goes with"
        )
    if tta and tta.input_height and tta.input_height < 32:
        raise UserError(f"--input-height is {tta.input_height}; wanted at least 32 pixels, or none")
    if out.suffix != ".safetensors":
        raise UserError(f"--out is {out}; wanted a file that ends in .safetensors")
    loaded = load_average(checkpoints)
    save_network(out, loaded.network, model_config=loaded.model_config, info=loaded.info, tta=tta, half=True)


def load_average(paths: Sequence[Path]) -> LoadedNetwork:
    """The network of the first of `paths`, with the mean of the weights of all.

    A model soup (Wortsman et al., ICML 2022), for trainings that went on from the same weights. Floating
    tensors are averaged, running statistics too; `info` tells how many there were. Raises CheckpointError as
    `load_network`, and where the networks differ.
    """
    first, *others = (load_network(path) for path in paths)
    for other in others:
        if other.model_config != first.model_config:
            raise CheckpointError(
                f"{other.path} is another network than {first.path}; wanted weights of one configuration"
            )
    if others:
        parts = [loaded.network.state_dict() for loaded in (first, *others)]
        for name, tensor in parts[0].items():
            if tensor.is_floating_point():
                tensor.copy_(torch.stack([part[name] for part in parts]).mean(0))
        first.info["averaged"] = len(parts)
    return first
