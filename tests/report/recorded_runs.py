"""Runs on disk as spn evaluate leaves them, with made-up figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spn.core.classes import CAMVID_11, CITYSCAPES_19, IDD_7
from spn.core.sample import Sample
from spn.evaluation.evaluator import write_sample
from spn.evaluation.results import DomainResult, RunResults, write_results

KEYS = (
    "camvid",
    "foggy_cityscapes",
    "rain_cityscapes",
    "mapillary",
    "synthia",
    "bdd100k",
    "cityscapes",
    "gtav",
)
METHOD_TITLES = {"baseline": "Baseline", "spn": "SPN"}
ROUTINE, WEATHER = "Routine domains", "Rain and fog"
TITLES = {
    "gtav": ("GTAV", "Source domain"),
    "cityscapes": ("Cityscapes", ROUTINE),
    "bdd100k": ("BDD-100K", ROUTINE),
    "synthia": ("SYNTHIA", ROUTINE),
    "mapillary": ("Mapillary", ROUTINE),
    "rain_cityscapes": ("Rain Cityscapes", WEATHER),
    "foggy_cityscapes": ("Foggy Cityscapes", WEATHER),
    "camvid": ("CamVid", "Real photographs"),
    "idd_lite": ("IDD-Lite", "Real photographs"),
    "dark_zurich": ("Dark Zurich", "Weather and night"),
}
PROTOCOL = {"name": "whole-native", "description": "whole image at native size", "views": {}}


def record_run(
    folder: Path,
    method: str,
    *,
    seed: int = 0,
    keys: Sequence[str] = KEYS,
    right: float = 0.5,
    split: str = "val",
    fingerprint: str = "f0",
    protocol: dict[str, object] | None = None,
    samples: int = 1,
    steps: int = 100,
    titled: bool = True,
    network: dict[str, object] | None = None,
    options: dict[str, object] | None = None,
) -> Path:
    """A run whose share of right pixels is `right`; SYNTHIA lacks terrain, truck and train.

    titled: whether results say how method and datasets are called in tables; those of version 0.1 do not.
    """
    domains = []
    for key in keys:
        space = {"camvid": CAMVID_11, "idd_lite": IDD_7}.get(key, CITYSCAPES_19)
        size = len(space)
        confusion = np.full((size, size), round(1e6 * (1 - right) / (size - 1)), np.int64)
        np.fill_diagonal(confusion, round(1e6 * right))
        if key == "synthia":
            confusion[[9, 14, 16]] = 0
        records = []
        for index in range(samples):
            generator = np.random.default_rng(index)
            label = generator.integers(0, size, (12, 20), dtype=np.uint8)
            label[:2] = 255
            image = generator.integers(0, 255, (12, 20, 3), dtype=np.uint8)
            sample = Sample(image, label, key, f"frame_{index}", Path("a.png"), Path("b.png"))
            target = folder / "evaluation" / "samples" / f"{key}_{split}_A"
            prediction = np.where(label == 255, 0, label).astype(np.uint8)
            records.append(
                write_sample(
                    target,
                    sample,
                    index=index,
                    prediction=prediction,
                    uncertainty=generator.random((12, 20), dtype=np.float32),
                    label_space=space,
                )
            )
        domains.append(
            DomainResult(
                key=key,
                split=split,
                map_name="A",
                layout="usual",
                label_space=space.key,
                class_names=space.names,
                protocol=protocol or PROTOCOL,
                images=5,
                fingerprint=fingerprint,
                checkpoint_sha256="cd",
                seed=0,
                confusion=confusion,
                samples=tuple(records),
                title=TITLES.get(key, (None,))[0] if titled else None,
                group=TITLES[key][1] if titled and key in TITLES else None,
            )
        )
    write_results(
        folder / "evaluation" / "results.json",
        RunResults(
            method,
            seed,
            "model.safetensors",
            "cd",
            {"step": steps, "method_options": options or {}},
            tuple(domains),
            METHOD_TITLES.get(method) if titled else None,
            network or {},
        ),
    )
    return folder
