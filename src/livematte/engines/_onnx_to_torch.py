"""ONNX graphs on PyTorch, operator by operator: what `engines/torch.py` runs.

The kept converters do not read what `torch.onnx` writes today (operator set 18), so each operator of
the networks here has a rule of its own: a function of the node's attributes and its inputs. Values are
freed after their last use. Integers (shapes, indices) stay on the CPU, where Python needs them.

Source: ONNX operator specification, up to set 18; each rule names the PyTorch function that is the same.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  the name that everybody knows

from livematte._errors import LoadError

Rule = Callable[[dict[str, Any], list[Any]], Any]


class Graph:
    """A graph whose `run` keeps no state: any number of threads may call it.

    Args:
        model: a checked ONNX model.
        source: its name, for messages.
        device: where it runs.

    Raises:
        LoadError: an operator without a rule.
    """

    def __init__(self, model: Any, source: str, device: torch.device) -> None:
        from onnx import numpy_helper

        graph = model.graph
        opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
        self._device = device
        self._constants = {t.name: self._place(_tensor(numpy_helper.to_array(t))) for t in graph.initializer}
        self.inputs = [value.name for value in graph.input if value.name not in self._constants]
        self.outputs = [value.name for value in graph.output]
        unknown = sorted({node.op_type for node in graph.node} - set(_RULES))
        if unknown:
            raise LoadError(
                f"{source} uses {', '.join(unknown)}, for which the torch engine has no rule: use --engine onnxruntime"
            )
        self._steps = []
        last = {name: index for index, node in enumerate(graph.node) for name in node.input}
        for index, node in enumerate(graph.node):
            attributes = {a.name: _attribute(a) for a in node.attribute} | {"opset": opset, "made": len(node.output)}
            done = [name for name in set(node.input) if last[name] == index and name not in self.outputs]
            self._steps.append((_RULES[node.op_type], attributes, list(node.input), list(node.output), done))

    def run(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Outputs for float32 inputs, on the device."""
        values: dict[str, Any] = {**self._constants, "": None}
        values.update(zip(self.inputs, (tensor.to(self._device) for tensor in inputs), strict=True))
        for rule, attributes, reads, makes, done in self._steps:
            made = rule(attributes, [values[name] for name in reads])
            for name, value in zip(makes, made if isinstance(made, (tuple, list)) else (made,), strict=False):
                values[name] = self._place(value)
            for name in done:
                if name:
                    del values[name]
        return [values[name] for name in self.outputs]

    def _place(self, value: torch.Tensor) -> torch.Tensor:
        return value.to(self._device) if value.is_floating_point() else value.cpu()


def _tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(array))  # a copy: what onnx gives may be read only


def _attribute(attribute: Any) -> Any:
    """A node's attribute as numbers, text or a tensor."""
    from onnx import helper, numpy_helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "raw_data"):
        return _tensor(numpy_helper.to_array(value))
    return list(value) if isinstance(value, (list, tuple)) or hasattr(value, "append") else value


def _numbers(value: Any) -> list[int]:
    """An integer tensor as Python's numbers."""
    return [int(n) for n in value.reshape(-1).tolist()]


def _given(inputs: list[Any], index: int) -> Any:
    """An optional input, or None."""
    return inputs[index] if index < len(inputs) else None


def _padding(a: dict[str, Any], x: torch.Tensor, kernel: Sequence[int], fill: float = 0.0) -> tuple[Any, list[int]]:
    """The input and the padding on both sides of each axis; uneven padding is put on here."""
    count = len(kernel)
    strides, dilations = a.get("strides", [1] * count), a.get("dilations", [1] * count)
    mode = a.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        begin, end = [], []
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
            total = max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
            less = total // 2
            begin.append(less if mode == "SAME_UPPER" else total - less)
            end.append(total - begin[-1])
    else:
        pads = a.get("pads", [0] * 2 * count)
        begin, end = pads[:count], pads[count:]
    if begin == end:
        return x, begin
    sides = [n for pair in zip(reversed(begin), reversed(end), strict=True) for n in pair]
    return F.pad(x, sides, value=fill), [0] * count


def _conv(a: dict[str, Any], i: list[Any]) -> Any:
    x, weight, bias = i[0], i[1], _given(i, 2)
    count = weight.ndim - 2
    x, padding = _padding(a, x, weight.shape[2:])
    function = (F.conv1d, F.conv2d, F.conv3d)[count - 1]
    strides, dilations = a.get("strides", [1] * count), a.get("dilations", [1] * count)
    return function(x, weight, bias, strides, padding, dilations, a.get("group", 1))


def _conv_transpose(a: dict[str, Any], i: list[Any]) -> Any:
    x, weight, bias = i[0], i[1], _given(i, 2)
    count = weight.ndim - 2
    if a.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in a:
        raise RuntimeError("ConvTranspose with auto_pad or output_shape")
    pads, extra = a.get("pads", [0] * 2 * count), a.get("output_padding", [0] * count)
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[count - 1]
    strides, dilations = a.get("strides", [1] * count), a.get("dilations", [1] * count)
    if pads[:count] == pads[count:]:
        return function(x, weight, bias, strides, pads[:count], extra, a.get("group", 1), dilations)
    whole = function(x, weight, bias, strides, [0] * count, extra, a.get("group", 1), dilations)
    for axis in range(count):
        whole = whole.narrow(2 + axis, pads[axis], whole.shape[2 + axis] - pads[axis] - pads[count + axis])
    return whole


def _pool(a: dict[str, Any], i: list[Any], largest: bool) -> Any:
    kernel, count = a["kernel_shape"], len(a["kernel_shape"])
    strides, ceil = a.get("strides", [1] * count), bool(a.get("ceil_mode", 0))
    if largest:
        x, padding = _padding(a, i[0], kernel, -math.inf)
        dilations = a.get("dilations", [1] * count)
        return (F.max_pool1d, F.max_pool2d, F.max_pool3d)[count - 1](x, kernel, strides, padding, dilations, ceil)
    x, padding = _padding(a, i[0], kernel)
    counted = bool(a.get("count_include_pad", 0))
    if x is not i[0] and not counted:  # uneven padding that does not count: divide by what does
        ones, _ = _padding(a, torch.ones_like(i[0][:1, :1]), kernel)
        average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[count - 1]
        return average(x, kernel, strides, 0, ceil) / average(ones, kernel, strides, 0, ceil)
    return (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[count - 1](x, kernel, strides, padding, ceil, counted)


def _resize(a: dict[str, Any], i: list[Any]) -> Any:
    """Along the last two axes, by index or by a matrix for each, so that every rule for coordinates is exact."""
    x = i[0]
    scales, sizes = (_given(i, 1), None) if a["opset"] < 11 else (_given(i, 2), _given(i, 3))
    mode = a.get("mode", "nearest")
    where = a.get("coordinate_transformation_mode", "asymmetric" if a["opset"] < 11 else "half_pixel")
    before = list(x.shape)
    if sizes is not None and sizes.numel():
        after = _numbers(sizes)
        factors = [new / old for new, old in zip(after, before, strict=True)]
    else:
        factors = [float(s) for s in scales.tolist()]
        # in float32, as other runtimes do: 7 x 13/7 is 13 there
        after = [int(np.float32(old) * np.float32(s)) for old, s in zip(before, factors, strict=True)]
    if mode not in ("nearest", "linear") or x.ndim != 4 or after[:2] != before[:2]:
        raise RuntimeError(f"Resize with mode {mode} from {before} to {after}")
    if mode == "linear":
        exact = all(new == old * s for new, old, s in zip(after, before, factors, strict=True))
        if exact and where in ("half_pixel", "pytorch_half_pixel", "align_corners") and min(after[2:]) > 1:
            return F.interpolate(x, after[2:], mode="bilinear", align_corners=where == "align_corners")
        rows, columns = (torch.from_numpy(_matrix(before[n], after[n], factors[n], where)).to(x.device) for n in (2, 3))
        return rows @ x @ columns.T
    rounding = a.get("nearest_mode", "floor" if a["opset"] < 11 else "round_prefer_floor")
    for axis in (2, 3):
        index = torch.from_numpy(_nearest(before[axis], after[axis], factors[axis], where, rounding))
        x = x.index_select(axis, index.to(x.device))
    return x


def _coordinates(old: int, new: int, factor: float, where: str) -> np.ndarray[Any, Any]:
    """Where each new sample lies among the old ones."""
    at: np.ndarray[Any, Any] = np.arange(new, dtype=np.float64)
    if where == "align_corners":
        return at * (old - 1) / max(new - 1, 1)
    if where == "asymmetric":
        return at / factor
    if where == "pytorch_half_pixel" and new == 1:
        return np.zeros(1)
    if where in ("half_pixel", "pytorch_half_pixel"):
        return (at + 0.5) / factor - 0.5
    raise RuntimeError(f"Resize with coordinates {where}")


@functools.lru_cache(64)
def _matrix(old: int, new: int, factor: float, where: str) -> np.ndarray[Any, Any]:
    """(new, old) float32 weights of linear interpolation."""
    at = np.clip(_coordinates(old, new, factor, where), 0, old - 1)
    weights: np.ndarray[Any, Any] = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old))).astype(np.float32)
    return weights


@functools.lru_cache(64)
def _nearest(old: int, new: int, factor: float, where: str, rounding: str) -> np.ndarray[Any, Any]:
    """(new,) int64 indices of the old samples to take."""
    at = _coordinates(old, new, factor, where)
    rounders: dict[str, Callable[[Any], Any]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda v: np.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: np.floor(v + 0.5),
    }
    index: np.ndarray[Any, Any] = np.clip(rounders[rounding](at), 0, old - 1).astype(np.int64)
    return index


def _softmax(a: dict[str, Any], i: list[Any]) -> Any:
    x = i[0]
    if a["opset"] >= 13:
        return torch.softmax(x, a.get("axis", -1))
    axis = a.get("axis", 1) % x.ndim  # older sets flatten what follows the axis
    return torch.softmax(x.flatten(axis), axis).reshape(x.shape)


def _axes(a: dict[str, Any], i: list[Any], at: int = 1) -> list[int] | None:
    """Axes as an attribute (older operator sets) or an input."""
    given = _given(i, at)
    return a.get("axes") if given is None else _numbers(given)


def _reduce(function: Callable[..., Any]) -> Rule:
    def rule(a: dict[str, Any], i: list[Any]) -> Any:
        axes = _axes(a, i)
        if axes is None and a.get("noop_with_empty_axes"):
            return i[0]
        return function(i[0], dim=tuple(range(i[0].ndim)) if axes is None else axes, keepdim=bool(a.get("keepdims", 1)))

    return rule


def _clip(a: dict[str, Any], i: list[Any]) -> Any:
    low, high = (_given(i, n) for n in (1, 2))
    lowest = a.get("min") if low is None else float(low)
    highest = a.get("max") if high is None else float(high)
    return i[0] if lowest is None and highest is None else torch.clamp(i[0], lowest, highest)


def _slice(a: dict[str, Any], i: list[Any]) -> Any:
    x = i[0]
    if "starts" in a:
        starts, ends, axes, steps = a["starts"], a["ends"], a.get("axes"), None
    else:
        starts, ends = _numbers(i[1]), _numbers(i[2])
        axes, steps = (None if (v := _given(i, n)) is None else _numbers(v) for n in (3, 4))
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis, step = (axes[n] if axes else n) % x.ndim, steps[n] if steps else 1
        index = range(x.shape[axis])[start:end:step]
        if step == 1:
            x = x.narrow(axis, index.start, len(index))
        else:
            x = x.index_select(axis, torch.tensor(list(index), device=x.device))
    return x


def _reshape(a: dict[str, Any], i: list[Any]) -> Any:
    shape = _numbers(i[1])
    if not a.get("allowzero"):
        shape = [i[0].shape[n] if size == 0 else size for n, size in enumerate(shape)]
    return i[0].reshape(shape)


def _pad(a: dict[str, Any], i: list[Any]) -> Any:
    x = i[0]
    pads = a["pads"] if "pads" in a else _numbers(i[1])
    axes = _axes(a, i, 3) or list(range(x.ndim))
    fill = _given(i, 2)
    begin, end = [0] * x.ndim, [0] * x.ndim
    for n, axis in enumerate(axes):
        begin[axis], end[axis] = pads[n], pads[n + len(axes)]
    sides = [n for pair in zip(reversed(begin), reversed(end), strict=True) for n in pair]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[a.get("mode", "constant")]
    if mode != "constant":
        return F.pad(x, sides[:4], mode=mode)
    return F.pad(x, sides, value=a.get("value", 0.0) if fill is None else float(fill))


def _split(a: dict[str, Any], i: list[Any]) -> Any:
    axis, sizes = a.get("axis", 0), _given(i, 1)
    parts = a.get("split") if sizes is None else _numbers(sizes)
    return torch.split(i[0], parts or math.ceil(i[0].shape[axis] / a.get("num_outputs", a["made"])), axis)


def _gather(a: dict[str, Any], i: list[Any]) -> Any:
    x, index, axis = i[0], i[1], a.get("axis", 0) % i[0].ndim
    index = torch.where(index < 0, index + x.shape[axis], index)
    found = x.index_select(axis, index.reshape(-1).to(x.device))
    return found.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _gemm(a: dict[str, Any], i: list[Any]) -> Any:
    left, right = (v.T if a.get(name) else v for v, name in zip(i[:2], ("transA", "transB"), strict=True))
    product = a.get("alpha", 1.0) * (left @ right)
    return product if _given(i, 2) is None else product + a.get("beta", 1.0) * i[2]


def _unsqueeze(a: dict[str, Any], i: list[Any]) -> Any:
    axes = _axes(a, i) or []
    x, rank = i[0], i[0].ndim + len(axes)
    for axis in sorted(n % rank for n in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(a: dict[str, Any], i: list[Any]) -> Any:
    axes = _axes(a, i)
    return i[0].squeeze() if axes is None else i[0].squeeze(tuple(axes))


def _depth_to_space(a: dict[str, Any], i: list[Any]) -> Any:
    if a.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(i[0], a["blocksize"])
    b, c, h, w = i[0].shape
    n = a["blocksize"]
    x = i[0].reshape(b, n, n, c // n**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(b, c // n**2, h * n, w * n)


def _prelu(a: dict[str, Any], i: list[Any]) -> Any:
    return torch.where(i[0] < 0, i[0] * i[1], i[0])


def _cast(a: dict[str, Any], i: list[Any]) -> Any:
    kinds = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float16, 11: torch.float64}
    return i[0].to(kinds[a["to"]])


def _constant(a: dict[str, Any], i: list[Any]) -> Any:
    for name, kind in (("value_float", torch.float32), ("value_floats", torch.float32), ("value_int", torch.int64)):
        if name in a:
            return torch.tensor(a[name], dtype=kind)
    return a["value"] if "value" in a else torch.tensor(a["value_ints"], dtype=torch.int64)


def _batch_norm(a: dict[str, Any], i: list[Any]) -> Any:
    return F.batch_norm(i[0], i[3], i[4], i[1], i[2], eps=a.get("epsilon", 1e-5))


def _divide(a: dict[str, Any], i: list[Any]) -> Any:
    return i[0] / i[1] if i[0].is_floating_point() else torch.div(i[0], i[1], rounding_mode="trunc")


def _of(function: Callable[..., Any]) -> Rule:
    """A rule for an operator without attributes."""
    return lambda a, i: function(*i)


def _fold(function: Callable[..., Any]) -> Rule:
    """A rule for an operator of any number of inputs."""
    return lambda a, i: functools.reduce(function, i)


_RULES: dict[str, Rule] = {
    "Abs": _of(torch.abs), "Add": _of(torch.add), "AveragePool": lambda a, i: _pool(a, i, False),
    "BatchNormalization": _batch_norm, "Cast": _cast, "Clip": _clip,
    "Concat": lambda a, i: torch.cat([v for v in i if v.numel()] or i, a["axis"]),
    "Constant": _constant, "Conv": _conv, "ConvTranspose": _conv_transpose, "DepthToSpace": _depth_to_space,
    "ConstantOfShape": lambda a, i: torch.full(_numbers(i[0]), float(a["value"]) if "value" in a else 0.0),
    "Div": _divide, "Dropout": lambda a, i: i[0], "Elu": lambda a, i: F.elu(i[0], a.get("alpha", 1.0)),
    "Exp": _of(torch.exp), "Expand": lambda a, i: i[0] * torch.ones(_numbers(i[1]), dtype=i[0].dtype,
                                                                   device=i[0].device),
    "Flatten": lambda a, i: i[0].reshape(math.prod(i[0].shape[: a.get("axis", 1)]), -1), "Gather": _gather,
    "Gemm": _gemm, "GlobalAveragePool": lambda a, i: i[0].mean(tuple(range(2, i[0].ndim)), keepdim=True),
    "HardSigmoid": lambda a, i: torch.clamp(a.get("alpha", 0.2) * i[0] + a.get("beta", 0.5), 0, 1),
    "HardSwish": _of(F.hardswish), "Identity": _of(lambda x: x),
    "InstanceNormalization": lambda a, i: F.instance_norm(i[0], weight=i[1], bias=i[2], eps=a.get("epsilon", 1e-5)),
    "LeakyRelu": lambda a, i: F.leaky_relu(i[0], a.get("alpha", 0.01)), "Log": _of(torch.log),
    "MatMul": _of(torch.matmul), "Max": _fold(torch.maximum), "MaxPool": lambda a, i: _pool(a, i, True),
    "Min": _fold(torch.minimum), "Mul": _of(torch.mul), "Neg": _of(torch.neg), "Pad": _pad, "Pow": _of(torch.pow),
    "PRelu": _prelu, "ReduceMax": _reduce(torch.amax), "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum), "Relu": _of(torch.relu), "Reshape": _reshape, "Resize": _resize,
    "Shape": lambda a, i: torch.tensor(i[0].shape[a.get("start", 0) : a.get("end")], dtype=torch.int64),
    "Sigmoid": _of(torch.sigmoid), "Slice": _slice, "Softmax": _softmax, "Split": _split, "Sqrt": _of(torch.sqrt),
    "Squeeze": _squeeze, "Sub": _of(torch.sub), "Sum": _fold(torch.add), "Tanh": _of(torch.tanh),
    "Transpose": lambda a, i: i[0].permute(a.get("perm", list(reversed(range(i[0].ndim))))),
    "Unsqueeze": _unsqueeze, "Upsample": _resize,
}  # fmt: skip
