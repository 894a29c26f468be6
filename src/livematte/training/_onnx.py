"""A network as ONNX, by torch's own exporter. Adapter of torch.onnx and onnx."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import torch

from livematte._errors import MissingExtra
from livematte._frame import Size
from livematte.training.net import Matting

OPSET = 18
"""ONNX operator set: the oldest that torch's exporter writes; ONNX Runtime reads it since 1.14."""

INPUTS = ("rgb", "previous")
"""The second is there in recurrent networks only."""

OUTPUT = "alpha"


def onnx_graph(net: Matting, size: Size) -> bytes:
    """A serialised ONNX model: `rgb` (1, 3, h, w) float32 in, `alpha` (1, 1, h, w) out.

    A recurrent network has `previous` (1, 1, h, w) for a second input.

    Args:
        net: in evaluation mode.
        size: of the picture; the graph takes no other.

    Raises:
        MissingExtra: `onnx` or `onnxscript` is not installed.
    """
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise MissingExtra('ONNX export needs onnx and onnxscript: pip install "livematte[train]"')
    with _quiet():
        program: Any = torch.onnx.export(
            net,
            tuple(torch.zeros(1, count, size.height, size.width) for count in net.planes),
            input_names=list(INPUTS[: len(net.planes)]),
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    # The exporter writes where each node came from: paths of the machine it ran on.
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    return bytes(model.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's words about packages that are not here and about torch's own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def half(graph: bytes) -> bytes:
    """The same with weights in float16, computed in float32: half the bytes.

    Engines turn them into float32 once, when they load the graph.

    Args:
        graph: of `onnx_graph`.
    """
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(graph)
    nodes = []
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and len(weight.dims) > 1:
            name, values = weight.name, numpy_helper.to_array(weight).astype(np.float16)
            weight.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
            nodes.append(helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])  # a graph names its nodes in the order they run
    return bytes(model.SerializeToString())
