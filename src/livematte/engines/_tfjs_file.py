"""Graph models of TensorFlow.js as they lie on disk: nodes, and weights in float32 or whole numbers.

`model.json` is a TensorFlow GraphDef as JSON and a list of the weights, which lie beside it in one or more
files. Weights may be kept in one or two bytes: q as q * scale + min, or as float16.

The files come from anywhere: nothing is read beyond `model.json` and the plain file names it gives, and no more
bytes than it announces, which `_shards` bounds.

Source: TensorFlow.js, tfjs-core, io/types.ts (ModelJSON, WeightsManifestEntry); TensorFlow, core/framework/graph.proto
and attr_value.proto, in protobuf's JSON form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte import _shards
from livematte._errors import LoadError, WeightsError

Array = npt.NDArray[Any]

MAX_NODES = 20_000
"""Most nodes of a graph; BodyPix's ResNet50 has some 300."""

MAX_AXES = 6
"""Most axes of a tensor."""

TYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
"""Types of weights by name, once they are read."""

QUANTISED = {"uint8": np.uint8, "uint16": np.uint16, "float16": np.float16}
"""Types in which they may be kept."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation; its output bears its name.

    Args:
        name: unique in the graph.
        op: TensorFlow's operator.
        inputs: names of the nodes whose first outputs it reads.
        attr: AttrValue by name, as in the file.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attr: Mapping[str, Any]

    def ints(self, key: str, default: Sequence[int] = ()) -> list[int]:
        """A list of whole numbers."""
        return [int(n) for n in self.attr[key]["list"].get("i", [])] if key in self.attr else list(default)

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        return _text(self.attr[key]["s"]) if key in self.attr else default

    def texts(self, key: str) -> list[str]:
        """A list of strings."""
        return [_text(value) for value in self.attr[key]["list"].get("s", [])] if key in self.attr else []

    def flag(self, key: str) -> bool:
        """A truth value; False where it is not said."""
        return bool(self.attr.get(key, {}).get("b", False))

    def number(self, key: str, default: float) -> float:
        """A number."""
        return float(self.attr[key].get("f", 0.0)) if key in self.attr else default

    def shape(self) -> tuple[int, ...] | None:
        """Shape of a placeholder, -1 where it is open; None if nothing is said."""
        found = self.attr.get("shape", {}).get("shape", {})
        dims = found.get("dim")
        return None if dims is None or found.get("unknownRank") else tuple(int(dim.get("size", -1)) for dim in dims)


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A graph model.

    Args:
        nodes: by name, in the file's order.
        weights: values of its constants by name, float32, int32 or bool.
        inputs: names of its placeholders, in the order of its signature or of its nodes.
        outputs: names of the nodes it gives, in the order of its signature, or of those that nobody reads.
    """

    nodes: Mapping[str, Node]
    weights: Mapping[str, Array]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(path: Path) -> GraphFile:
    """The graph model whose `model.json`, of whatever name, is at `path`.

    Raises:
        LoadError: it or a file of weights is missing, damaged, too large, or of another kind.
    """
    try:
        groups = _shards.read(path, str(path))
        facts = json.loads(path.read_bytes())
        weights = _weights(facts["weightsManifest"], groups, path)
        topology = facts["modelTopology"]
        if len(topology["node"]) > MAX_NODES:
            raise LoadError(f"{path} has {len(topology['node'])} nodes, expected at most {MAX_NODES}")
        nodes = {node.name: node for node in map(_node, topology["node"])}
        if len(nodes) != len(topology["node"]):
            raise LoadError(f"{path} gives two nodes the same name")
        inputs, outputs = _ends(facts, nodes)
    except OSError as exc:
        raise _unread(exc, path) from exc
    except WeightsError as exc:
        raise LoadError(str(exc)) from exc
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise LoadError(f"{path} is no graph model of TensorFlow.js, or damaged: {type(exc).__name__}: {exc}") from exc
    return GraphFile(nodes, weights, inputs, outputs)


def digest(path: Path) -> str:
    """SHA-256 of a `model.json` and all its files of weights, in hexadecimal.

    Raises:
        LoadError: one cannot be read, or it names none.
    """
    whole = hashlib.sha256()
    try:
        names = [name for group in _shards.read(path, str(path)) for name in group.names]
        for file in (path, *(path.with_name(name) for name in names)):
            with file.open("rb") as stream:
                whole.update(hashlib.sha256(stream.read(_shards.MAX_BYTES)).digest())
    except OSError as exc:
        raise _unread(exc, path) from exc
    except WeightsError as exc:
        raise LoadError(str(exc)) from exc
    return whole.hexdigest()


def _unread(exc: OSError, path: Path) -> LoadError:
    """What to say of a file that cannot be read: the `model.json` at `path`, or one of those it names."""
    file = str(exc.filename or path)
    named = "" if file == str(path) else f", whose weights {path.name} needs"
    return LoadError(f"cannot read {file}{named}: {exc.strerror or exc}")


def _weights(manifest: Sequence[Any], groups: Sequence[_shards.Group], path: Path) -> dict[str, Array]:
    """Weights by name; those of a group lie one after the other in its files."""
    held: dict[str, Array] = {}
    for entries, group in zip(manifest, groups, strict=True):
        files = [path.with_name(name) for name in group.names]
        size_bytes = sum(file.stat().st_size for file in files)
        if size_bytes != group.size_bytes:
            raise LoadError(
                f"{', '.join(group.names)} beside {path} have {size_bytes} bytes, expected {group.size_bytes}: "
                "get the files again"
            )
        data = memoryview(b"".join(file.read_bytes() for file in files))
        at = 0
        for entry in entries["weights"]:
            values, used_bytes = _weight(entry, data[at:], path)
            held[entry["name"]] = values
            at += used_bytes
    return held


def _weight(entry: Mapping[str, Any], data: memoryview, path: Path) -> tuple[Array, int]:
    """One tensor, and how many bytes it took."""
    name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
    quantised = entry.get("quantization")
    kept = quantised["dtype"] if quantised else dtype
    known = QUANTISED if quantised else TYPES
    if kept not in known or dtype not in TYPES or (quantised and dtype == "bool"):
        raise LoadError(f"{path}: the weight {name} is {dtype} kept as {kept}, which is not read here")
    if len(shape) > MAX_AXES:
        raise LoadError(f"{path}: the weight {name} has {len(shape)} axes, expected at most {MAX_AXES}")
    kind = np.dtype(known[kept])
    count = int(np.prod(shape, dtype=np.int64))
    stored = np.frombuffer(data, kind.newbyteorder("<"), count).reshape(shape)
    if not quantised or kept == "float16":
        return stored.astype(TYPES[dtype]), stored.nbytes
    values = stored * float(quantised["scale"]) + float(quantised["min"])  # float64, as JavaScript computes it
    return (values if dtype == "float32" else np.rint(values)).astype(TYPES[dtype]), stored.nbytes


def _node(facts: Mapping[str, Any]) -> Node:
    """A node without what only orders execution, which is written ^NAME."""
    inputs = []
    for name, _, output in (str(name).partition(":") for name in facts.get("input", [])):
        if output not in ("", "0"):
            raise ValueError(f"{facts['name']} reads {name}:{output}, only first outputs are known here")
        if not name.startswith("^"):
            inputs.append(name)
    return Node(str(facts["name"]), str(facts["op"]), tuple(inputs), facts.get("attr") or {})


def _ends(facts: Mapping[str, Any], nodes: Mapping[str, Node]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Inputs and outputs: of the signature, or as TensorFlow.js finds them where there is none."""
    signature = facts.get("signature") or (facts.get("userDefinedMetadata") or {}).get("signature") or {}
    inputs, outputs = (
        tuple(str(end["name"]).partition(":")[0] for end in (signature.get(side) or {}).values())
        for side in ("inputs", "outputs")
    )
    read = {name for node in nodes.values() for name in node.inputs}
    return (
        inputs or tuple(node.name for node in nodes.values() if node.op == "Placeholder"),
        outputs or tuple(node.name for node in nodes.values() if node.name not in read and node.op != "Const"),
    )


def _text(value: Any) -> str:
    """A string of bytes, which JSON holds in base64."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except binascii.Error:
        return str(value)
