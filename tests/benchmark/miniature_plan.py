"""Everything a benchmark needs at the smallest size: simulated data of blocks, a preset, a TOML file."""

from __future__ import annotations

from pathlib import Path

from simulator.fake_renderer import render_blocks
from streets.export import ExportPlan, export_dataset

SMALL = """
pretrained = false
[model]
auxiliary_width = 8
[model.encoder]
name = "resnet10t"
channels = [8, 8, 8, 8]
[model.prompt]
width = 8
tokens = 4
groups = 2
[model.decoder]
width = 8
skips = [{ stride = 4, width = 4, out = 8 }]
[augmentation]
crop_height = 32
crop_width = 64
[sampling]
tile = 32
[optimisation]
batch_size = 4
learning_rate = 0.1
[schedule]
steps = 6
[runtime]
accelerator = "cpu"
workers = 0
progress = false
tensorboard = false
"""


def write_plan(folder: Path, *, data: Path, extra: str = "") -> Path:
    """The plan's file, with its preset beside it. data: folder of `write_data`."""
    folder.mkdir(exist_ok=True)
    preset = folder / "small.toml"
    preset.write_text(SMALL)
    fog = f"foggy_cityscapes={data / 'foggy_cityscapes'}:val"
    file = folder / "plan.toml"
    file.write_text(
        f"""
preset = "{preset}"
baseline = "baseline"
seeds = [0, 1]
data = ["gtav={data / "gtav"}:train"]
domains = ["cityscapes={data / "cityscapes"}", "{fog}@beta_0.005", "{fog}@beta_0.02"]

[methods]
one-view = {{ title = "SPN, one view", method.kind = "spn", method.views = 1 }}
baseline = {{ method.kind = "baseline" }}

[published.Paper]
source = "Somebody, 2020, table 1"
miou = {{ cityscapes = 36.58 }}
{extra}
"""
    )
    return file


def write_data(folder: Path) -> None:
    """GTAV with three training images, Cityscapes and its fog with two frames."""
    for key, counts in (("gtav", {"train": 3}), ("cityscapes", {"val": 2}), ("foggy_cityscapes", {"val": 2})):
        plan = ExportPlan(key=key, root=folder / key, counts=counts, width=64, height=48)
        export_dataset(plan, workers=1, progress=False, render=render_blocks)
