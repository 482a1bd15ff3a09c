"""A model in one file that runs without this package: ONNX, or a program of torch.export.

In the file are the network of the mean prompt with its normalisation, its class names and how it was made;
not in it are random draws and the views of test-time augmentation, which the metadata name.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spn.core.errors import CheckpointError, UserError
from spn.core.files import atomic_path, refuse_foreign, user_cache, write_bytes
from spn.core.records import to_plain
from spn.core.version import LICENCE, __version__
from spn.inference.model import Model, seen_at
from spn.inference.onnx import FORMAT, GRID, IMAGES, LOGITS, OnnxNetwork, imported, new_session
from spn.inference.tta import Arithmetic, TestTimeAugmentation, protocol
from spn.models.export import export_program
from spn.models.network import SegmentationNetwork
from spn.models.resampling import resize_images

Kind = Literal["onnx", "torch"]
Stored = Literal["float32", "float16", "int8"]
ENDINGS: Final[dict[Kind, str]] = {"onnx": ".onnx", "torch": ".pt2"}
OPSET: Final = 18
CHECKED: Final = ((1, 288, 384), (2, 131, 200), (1, 97, 66))
"""Numbers of images, heights and widths at which a file is compared with PyTorch."""
WORTH_EXPORTING: Final = 1000
"""Photographs for which an export, three quarters of a minute, is made up for."""
LIMITS: Final[dict[Stored, tuple[float, float]]] = {
    "float32": (1e-3, 0.999),
    "float16": (0.02, 0.99),
    "int8": (1.0, 0.9),
}
"""The largest difference of a probability, and the share of equal labels, that a right file may have."""
_ARITHMETIC: Final[dict[Stored, Arithmetic]] = {"float32": "32", "float16": "16", "int8": "int8"}
_METADATA: Final = "metadata.json"
_log = logging.getLogger(__name__)


class Comparison(NamedTuple):
    """Of a file with PyTorch, over all sizes."""

    largest: float
    """Difference of a probability."""
    equal: float
    """Share of the labels that are the same."""
    sizes: int


def export_model(
    model: Model,
    out: Path,
    *,
    kind: Kind = "onnx",
    precision: Stored = "float32",
    frames: Sequence[NDArray[np.uint8]] = (),
    training_data: str = "",
) -> Comparison:
    """Write `model`, on the CPU, to `out`, and compare the file with PyTorch; one that differs does not stay.

    Args:
        model: from `spn.load`.
        out: a file that ends in .onnx or .pt2, as `kind` says.
        kind: for onnxruntime and others, or for `torch.export.load`.
        precision: of weights and arithmetic; images and logits are float32 in all.
        frames: photographs uint8 [H, W, 3], such as it is made for. int8 takes the ranges of all features
            from them; the comparison uses some, or smooth noise where there are none.
        training_data: in words, for the metadata.

    Raises:
        UserError: settings that cannot work together, a model with random draws, a missing package, an `out`
            that is no earlier export, or a file that does not do what the model does.
    """
    check_place(out, kind)
    network, tta = model.network, model.tta
    checks = {
        f"{precision} is for ONNX; choose --format onnx": kind == "onnx" or precision == "float32",
        "int8 needs photographs to take the ranges of features from": frames or precision != "int8",
        f"{model.path} is exported already; wanted a run or weights": isinstance(
            network, SegmentationNetwork
        ),
        "random draws and an image's own statistics cannot be exported, and the weights were released with "
        "them; release them without": not (tta.num_samples or tta.own_statistics),
    }
    if problem := next((problem for problem, holds in checks.items() if not holds), None):
        raise UserError(problem)
    assert isinstance(network, SegmentationNetwork)
    noted = _metadata(model, precision=precision, training_data=training_data)
    with atomic_path(out) as temporary:
        if kind == "torch":
            texts = {_METADATA: json.dumps({**noted, "format": FORMAT}, indent=1)}
            torch.export.save(export_program(network), temporary, extra_files=texts)
        else:
            _write_onnx(model, temporary, precision=precision, metadata=noted, frames=frames)
        found = _compared(temporary, network, frames=frames)
        largest, equal = LIMITS[precision]
        if not (found.largest <= largest and found.equal >= equal):
            raise UserError(
                f"{out}: the exported network does not do what PyTorch does, and was not kept: probabilities "
                f"differ by up to {found.largest:.2g} (wanted {largest:g}), {100 * found.equal:.2f} % of the "
                f"labels are the same (wanted {100 * equal:g} %); try --precision float32"
            )
    return found


def check_place(out: Path, kind: Kind) -> None:
    """Raises UserError for another ending than that of the kind, or a file that is no earlier export."""
    if out.suffix != ENDINGS[kind]:
        raise UserError(f"{out}: wanted a file that ends in {ENDINGS[kind]}")
    refuse_foreign(out, FORMAT.encode())


def in_onnxruntime(model: Model) -> Model:
    """The same model with its network in onnxruntime, from a file in the user's cache, made if need be.

    Where the cache cannot be used, the file is made each time. Raises UserError as `export_model`.
    """
    cached = _cached(model)
    with contextlib.suppress(OSError, CheckpointError):
        return replace(model, network=OnnxNetwork(cached))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / cached.name
        _log.warning("exporting %s to ONNX, once: a minute or less", model.path)
        export_model(replace(model, tta=TestTimeAugmentation()), made)
        with contextlib.suppress(OSError):
            write_bytes(cached, made.read_bytes())
        return replace(model, network=OnnxNetwork(made))


def fastest(model: Model, *, pictures: int) -> Model:
    """The model in onnxruntime, if the extra is installed, the network can run there, on a CPU, and was
    exported before or has so many `pictures` to label that it pays now; else as it is."""
    drawn = model.tta.num_samples or model.tta.own_statistics
    plain = isinstance(model.network, SegmentationNetwork) and model.precision == "32" and not drawn
    if not plain or model.device.type != "cpu":
        return model
    with contextlib.suppress(OSError, UserError):  # no extra, or nothing usable in the cache
        return replace(model, network=OnnxNetwork(_cached(model)))
    if pictures < WORTH_EXPORTING or not importlib.util.find_spec("onnxruntime"):
        return model
    try:
        return in_onnxruntime(model)
    except Exception as error:  # of exporters, which have many kinds; PyTorch does the same, slower
        _log.warning("the network stays in PyTorch, as it cannot be exported: %s", error)
        return model


def _cached(model: Model) -> Path:
    return user_cache() / "onnx" / f"{model.sha256}-{__version__}-{OPSET}{ENDINGS['onnx']}"


def _metadata(model: Model, *, precision: Stored, training_data: str) -> dict[str, str]:
    """All in words, or as JSON."""
    assert model.model_config
    own = protocol(model.tta, _ARITHMETIC[precision])
    values: dict[str, Any] = {
        "classes": model.classes,
        "palette": model.label_space.colours,
        "label_space": to_plain(model.label_space),
        "tta": to_plain(model.tta),
        "protocol": {name: own[name] for name in ("name", "description")},
        "info": {**model.info, "exported_from": model.sha256},
        "config": to_plain(model.model_config),
    }
    texts = {
        "format": FORMAT,
        "spn_version": __version__,
        "torch_version": torch.__version__,
        "licence": LICENCE,
        "training_data": training_data or "not recorded",
        "weights_sha256": model.sha256,
        "precision": _ARITHMETIC[precision],
        "input": f"{IMAGES}: float32 [batch, 3, height, width] in 0..1, RGB; the normalisation is inside",
        "output": f"{LOGITS}: float32 [batch, classes, height, width] of the mean prompt, no random draws",
    }
    return {**texts, **{name: json.dumps(value) for name, value in values.items()}}


def _write_onnx(
    model: Model,
    file: Path,
    *,
    precision: Stored,
    metadata: dict[str, str],
    frames: Sequence[NDArray[np.uint8]],
) -> None:
    imported("onnxscript")
    onnx = imported("onnx")
    program = torch.onnx.export(
        export_program(model.network, for_onnx=True),  # type: ignore[arg-type]
        (),
        dynamo=True,
        verbose=False,
        input_names=[IMAGES],
        output_names=[LOGITS, GRID],
        dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
        opset_version=OPSET,
    )
    assert program
    proto = program.model_proto
    if precision == "float16":
        halves = imported("onnxruntime.transformers.float16")
        proto = halves.convert_float_to_float16(proto, keep_io_types=True, disable_shape_infer=True)
    if precision == "int8":
        proto = _quantised(proto, _views(model, frames))
    onnx.helper.set_model_props(proto, metadata)
    onnx.save(proto, file)


def _quantised(whole: Any, views: Iterator[Tensor]) -> Any:
    """The ONNX model with weights per channel and features per tensor in 8 bits.

    The features' ranges are those in `views`: images as the network sees them.
    """
    onnx, quantization = imported("onnx"), imported("onnxruntime.quantization")
    shapes = imported("onnxruntime.quantization.shape_inference")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(({IMAGES: view.numpy()} for view in views), None)

    with tempfile.TemporaryDirectory() as folder:
        given, prepared, file = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "quantised"))
        onnx.save(whole, given)
        shapes.quant_pre_process(given, prepared, skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        convolutions, pools = (
            [node.name for node in nodes if node.op_type == kind] for kind in ("Conv", "AveragePool")
        )
        quantization.quantize_static(
            prepared,
            file,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # 7 bits: products of 8 saturate on processors without VNNI
            # The first two in floats: a point of mIoU for nothing. Images are shrunk in floats: faster.
            nodes_to_exclude=convolutions[:2] + pools[:1],
        )
        return onnx.load(file)


def _views(model: Model, frames: Sequence[NDArray[np.uint8]]) -> Iterator[Tensor]:
    """The frames as test-time augmentation shows them to the network."""
    for frame in frames:
        for scale in model.tta.sizes:
            size = model.tta.working_size(*frame.shape[:2], scale=scale)
            yield seen_at(torch.from_numpy(frame)[None], size)


def _compared(file: Path, network: SegmentationNetwork, *, frames: Sequence[NDArray[np.uint8]]) -> Comparison:
    """What the file says, against the network."""
    if file.suffix == ENDINGS["onnx"]:
        session = new_session(file.read_bytes(), threads=torch.get_num_threads())
    else:
        program = torch.export.load(file).module()
    largest, equal, count = 0.0, 0, 0
    for index, (images, height, width) in enumerate(CHECKED):
        shown = [
            _as_tensor(frames[(index + number) % len(frames)]) if frames else _noise(index + number)
            for number in range(images)
        ]
        batch = torch.cat([resize_images(image, (height, width)) for image in shown])
        with torch.inference_mode():
            wanted = network(batch).logits
            if file.suffix == ENDINGS["onnx"]:
                got = torch.from_numpy(session.run([LOGITS], {IMAGES: batch.numpy()})[0])
            else:
                got = program(batch)
        difference = (wanted.softmax(1) - got.softmax(1)).abs().max()
        largest = max(largest, float(difference.nan_to_num(nan=1.0)))
        equal += int((wanted.argmax(1) == got.argmax(1)).sum())
        count += images * height * width
    return Comparison(largest, equal / count, len(CHECKED))


def _as_tensor(frame: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255


def _noise(seed: int) -> Tensor:
    """A picture of soft spots."""
    stream = torch.Generator().manual_seed(seed)
    return resize_images(torch.rand(1, 3, 9, 12, generator=stream), (288, 384))
