"""Count the table [usual] of shares.toml: how much of a photograph each class has, as a network predicts it.

    spn evaluate streets.safetensors --data KEY=PATH … --per-image --image-prior 0 --out counted
    python recipes/streets/usual_shares.py counted

The weights are to be released as they will be used: with the same views, corrected by [trained] and [used].
For each class exp(mean of log(share)) in percent: the mean of the datasets' means over their images, of those
datasets that have all classes of the model. A share counts as LEAST at least (spn.inference.class_shares).
"""

import sys
from pathlib import Path

import numpy as np

from spn.core.classes import CITYSCAPES_19
from spn.evaluation.counts import ImageCounts, read_counts
from spn.evaluation.results import read_results
from spn.inference.class_shares import LEAST


def main(folder: Path) -> None:
    means = []
    for domain in read_results(folder).domains:
        if domain.confusion.shape != (len(CITYSCAPES_19), len(CITYSCAPES_19)):
            continue
        counts = read_counts(ImageCounts, folder, domain)
        if counts is None:
            sys.exit(f"{folder}: no counts per image of {domain.folder_name}; evaluate with --per-image")
        shares = counts.predicted / counts.predicted.sum(axis=1, keepdims=True)
        means.append(np.log(shares.clip(min=LEAST)).mean(axis=0))
        print(f"# {domain.folder_name}: {len(shares)} images", file=sys.stderr)
    if not means:
        sys.exit(f"{folder}: no dataset with the {len(CITYSCAPES_19)} classes")
    print("[usual]")
    for name, share in zip(CITYSCAPES_19.names, 100 * np.exp(np.mean(means, axis=0)), strict=True):
        key = f'"{name}"' if " " in name else name
        print(f"{key} = {share:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
