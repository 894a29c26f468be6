"""Dilated convolutions of ONNX graphs with their padding written out, where ONNX Runtime wants that.

ONNX lets a graph say SAME_UPPER, "as much as keeps the size", of a dilated convolution, and tf2onnx did so for
BodyPix at stride 8. ONNX Runtime loads such a graph and refuses to run it. Without a stride the padding is the same
for every size of picture, so that it can be written as numbers.

Source: ONNX operators, Conv, auto_pad; ONNX Runtime, core/providers/common.h, ComputePad.
"""

from __future__ import annotations

from importlib.util import find_spec

from livematte._errors import LoadError

WORDS = (b"SAME_UPPER", b"SAME_LOWER")
"""What a graph must contain to be concerned."""


def explicit(graph: bytes, source: str) -> bytes:
    """The same graph with the padding of dilated convolutions as numbers.

    Args:
        graph: an ONNX model. Where `onnx` is not installed it is left as it is, for ONNX Runtime to judge.
        source: its name, for messages.

    Raises:
        LoadError: a convolution whose padding depends on the size of the picture.
    """
    if find_spec("onnx") is None or not any(word in graph for word in WORDS):
        return graph
    import onnx
    from onnx import helper

    model = onnx.load_from_string(graph)
    changed = False
    for node in model.graph.node:
        given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        same = given.get("auto_pad", b"NOTSET")
        dilations = given.get("dilations", [])
        if node.op_type != "Conv" or same not in (b"SAME_UPPER", b"SAME_LOWER") or max(dilations, default=1) == 1:
            continue
        kernel = given.get("kernel_shape")
        if kernel is None or any(n != 1 for n in given.get("strides", [])):
            raise LoadError(
                f"{source}: the dilated convolution {node.name} has strides {given.get('strides')} and pads by "
                f"{same.decode()}, which ONNX Runtime refuses: export it with explicit pads"
            )
        total = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        less, more = [n // 2 for n in total], [n - n // 2 for n in total]
        before, after = (less, more) if same == b"SAME_UPPER" else (more, less)
        kept = [attribute for attribute in node.attribute if attribute.name != "auto_pad"]
        changed = True
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", [*before, *after])])
    return bytes(model.SerializeToString()) if changed else graph
