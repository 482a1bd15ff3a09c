"""An exported network in onnxruntime, in place of one in PyTorch: what `spn export` wrote, read back.

Needs the extra `onnx`, which is imported when it is used.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from spn.core.classes import LabelSpace
from spn.core.errors import CheckpointError, UserError
from spn.core.files import file_sha256
from spn.core.records import from_plain
from spn.inference.model import Model
from spn.inference.tta import Precision, TestTimeAugmentation
from spn.models.config import ModelConfig
from spn.models.encoders.multi_resolution import SIZE_MULTIPLE
from spn.models.network import NetworkOutput, images_at_once
from spn.models.resampling import cropped, resize

FORMAT: Final = "spn-exported-1"
"""In the metadata of the files, which are plain text: `classes`, `palette`, `tta` and others as JSON."""
IMAGES, LOGITS, GRID = "images", "logits", "grid"
"""Its input [B, 3, H, W], and its outputs: logits at that size, and on the decoder's grid."""


def imported(name: str) -> Any:
    """The module `name` of the extra. Raises UserError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"ONNX needs the package {name.partition('.')[0]}, which is not installed: "
            "python3 -m pip install 'spn-segmentation[onnx]'"
        ) from error


class OnnxNetwork(nn.Module):
    """The network of an ONNX file of spn export, called as `SegmentationNetwork` is, with the mean prompt
    alone; it runs on as many threads as PyTorch has in the thread that calls it.

    Raises CheckpointError for what is no ONNX file.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        onnx = imported("onnx")
        try:
            whole = onnx.load_model_from_string(file.read_bytes())
            part = onnx.utils.Extractor(whole).extract_model([IMAGES], [GRID])
            part.metadata_props.extend(whole.metadata_props)
            self._graph: bytes = part.SerializeToString()
        except Exception as error:  # protobuf's have no base of their own
            raise CheckpointError(f"{file}: not a whole ONNX file of spn export ({error})") from error
        self.at_once = images_at_once(len(self._graph) // 4)  # float32
        self._idle: defaultdict[int, list[Any]] = defaultdict(list)
        with self._session() as session:
            self.notes: dict[str, Any] = session.get_modelmeta().custom_metadata_map

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        """One for this caller alone: those who share one share its threads."""
        threads = torch.get_num_threads()
        try:
            session = self._idle[threads].pop()
        except IndexError:
            session = new_session(self._graph, threads=threads)
        try:
            yield session
        finally:
            self._idle[threads].append(session)

    def forward(
        self,
        images: Tensor,
        *,
        num_samples: int = 0,
        generator: torch.Generator | None = None,
        upsample: bool = True,
    ) -> NetworkOutput:
        if num_samples:
            raise UserError(
                f"num_samples is {num_samples}, but an exported network has the mean prompt alone; wanted 0, "
                "or the weights it was made from"
            )
        with self._session() as session:
            logits = torch.from_numpy(session.run([GRID], {IMAGES: images.contiguous().numpy()})[0])
        height, width = (-(-length // SIZE_MULTIPLE) * SIZE_MULTIPLE for length in images.shape[-2:])
        if upsample:
            logits = cropped(resize(logits, (height, width)), images.shape[-2:])
        return NetworkOutput(logits, None, None, (height, width))


def new_session(graph: bytes, *, threads: int) -> Any:
    """A session of onnxruntime. Raises CheckpointError if it does not take the graph."""
    runtime = imported("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Its threads would go on spinning while PyTorch's compute what follows.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return runtime.InferenceSession(graph, options, ["CPUExecutionProvider"])
    except Exception as error:  # its own have no base of their own
        raise CheckpointError(f"onnxruntime does not take this ONNX file: {error}") from error


def load_onnx(
    file: Path, *, tta: TestTimeAugmentation | None = None, precision: Precision = "32", seed: int = 0
) -> Model:
    """The model in an ONNX file, on the CPU; the arguments as in `spn.inference.weights.load`."""
    network = OnnxNetwork(file)
    metadata = network.notes
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{file}: not an ONNX file of this version of spn export; export it again")
    try:
        own = metadata["precision"]
        released = from_plain(TestTimeAugmentation, json.loads(metadata["tta"]))
        label_space = from_plain(LabelSpace, json.loads(metadata["label_space"]))
        model_config = ModelConfig.from_dict(json.loads(metadata["config"]))
        info = dict(json.loads(metadata["info"]))
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise CheckpointError(f"{file}: its notes cannot be used ({error!r}); export it again") from error
    if precision not in ("32", own):
        raise UserError(f"precision is {precision}, but {file} computes in {own}; export it in another")
    return Model(
        network,
        tta=(tta or TestTimeAugmentation()).completed(released),
        precision=own,
        seed=seed,
        label_space=label_space,
        info=info,
        path=file,
        sha256=file_sha256(file),
        model_config=model_config,
    )
