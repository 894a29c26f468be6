"""What an ONNX file must be before a runtime gets to see it.

Runtimes trust their files: a tensor that claims more numbers than it has, or weights in "another
file" at a path of the author's choice, are read as they are told. This reads the protobuf encoding
itself, skips the weights, allocates nothing of the file's choosing, and checks what the specification
demands: every message ends where it says, tensors have the bytes that their shapes need, and every
value is made before it is used.

Source: Protocol Buffers encoding guide; onnx.proto3 (ONNX IR version 10), whose field numbers
stand below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from livematte._errors import LoadError
from livematte.engines._file import MAX_NODES, elements

MAX_DEPTH = 4
"""Graphs within graphs."""

MAX_ROUNDS = 64
"""Passes over operators that are out of order: the specification asks for order, so mostly one."""

LOOPS = ("Loop", "Scan")
"""Operators that repeat a graph as often as a number in the file says. No network here has one."""

BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
        17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4}  # fmt: skip
"""TensorProto.DataType -> bits of one number; strings (8) are missing, no network needs them."""

LISTS = {4: 4, 5: None, 7: None, 10: 8, 11: None}
"""Fields of a TensorProto that may hold its numbers: bytes of each, None for varints."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types."""

Message = memoryview


def check(data: bytes, source: Path) -> None:
    """Refuse what is no ONNX file, or a hostile one.

    Raises:
        LoadError: what is wrong with it, with the name of the file.
    """
    try:
        graphs = [value for field, value in _fields(memoryview(data)) if field == 7 and isinstance(value, Message)]
        functions = [value for field, value in _fields(memoryview(data)) if field == 25 and isinstance(value, Message)]
        if len(graphs) != 1:
            raise LoadError("it holds no graph: it is no ONNX file")
        _graph(graphs[0], set(), 0)
        for function in functions:
            for field, value in _fields(function):
                if field == 7:
                    _node(_message(value), set(), 0)
    except LoadError as exc:
        raise LoadError(f"{source}: {exc}") from None
    except UnicodeDecodeError as exc:
        raise LoadError(f"{source}: a name in it is no text: the file is damaged") from exc


def _graph(graph: Message, outer: set[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LoadError(f"graphs lie in graphs more than {MAX_DEPTH} deep: refused")
    known, nodes, outputs = set(outer), [], []
    for field, value in _fields(graph):
        if field == 1:
            nodes.append(_message(value))
        elif field == 5:
            known.add(_tensor(_message(value)))
        elif field == 11:
            known.add(_value(_message(value)))
        elif field == 12:
            outputs.append(_value(_message(value)))
        elif field == 13:
            _value(_message(value))
        elif field == 15:
            raise LoadError("it keeps weights in sparse form, which is not read here: export it with dense weights")
    if not outputs:
        raise LoadError("its graph has no output")
    if len(nodes) > MAX_NODES:
        raise LoadError(f"its graph has {len(nodes)} operators, more than {MAX_NODES}: refused")
    waiting = nodes
    for _ in range(MAX_ROUNDS):
        later = [node for node in waiting if not _ready(node, known)]
        if later and len(later) == len(waiting):
            missing = next(name for name in _texts(later[0], 1) if name and name not in known)
            raise LoadError(f"its graph is a circle, or reads {missing[:80]!r}, which nothing makes")
        waiting = later
        if not waiting:
            break
    for node in nodes:
        _node(node, known, depth)
    for name in outputs:
        if name not in known:
            raise LoadError(f"nothing makes its output {name[:80]!r}")


def _ready(node: Message, known: set[str]) -> bool:
    """Whether everything is there that a node reads; then what it makes is there, too."""
    if not all(name in known for name in _texts(node, 1) if name):
        return False
    known.update(_texts(node, 2))
    return True


def _node(node: Message, known: set[str], depth: int) -> None:
    for operator in _texts(node, 4):
        if operator in LOOPS:
            raise LoadError(f"it has the operator {operator}, which may run for ever: refused")
    for field, attribute in _fields(node):
        if field != 5:
            continue
        for kind, value in _fields(_message(attribute)):
            if kind in (5, 10):
                _tensor(_message(value))
            elif kind in (6, 11):
                _graph(_message(value), known, depth + 1)


def _tensor(tensor: Message) -> str:
    """Name of a constant that has as many bytes as its shape needs, in this file."""
    shape: list[int] = []
    kind, external, raw, listed, name = 0, False, None, 0, ""
    for field, value in _fields(tensor):
        if field == 1:
            shape += [_signed(n) for n in (_varints(value) if isinstance(value, Message) else [value])]
        elif field == 2 and isinstance(value, int):
            kind = value
        elif field == 8:
            name = str(_message(value), "utf-8")
        elif field == 9:
            raw = len(_message(value))
        elif field == 13 or (field == 14 and value == 1):
            external = True
        elif field in LISTS:
            listed += _count(value, LISTS[field])
    what = f"its constant {name[:80]!r}"
    if external:
        raise LoadError(f"{what} lies in another file, which is never read: save the network as a single file")
    if kind not in BITS:
        raise LoadError(f"{what} is of the unknown type {kind}: the file is damaged, or no network of numbers")
    count = math.prod(shape) if min(shape, default=0) >= 0 else elements(shape, what)
    elements([max(n, 1) for n in shape], what)
    if raw is not None:
        right = raw == -(-count * BITS[kind] // 8)
    else:
        per_number = 2 if kind in (14, 15) else 1  # complex numbers are listed as pairs
        right = listed in (count * per_number, -(-count * BITS[kind] // 32), -(-count * BITS[kind] // 8))
    if not right:
        raise LoadError(f"{what} claims the shape {shape}, and has {raw if raw is not None else listed} "
                        f"{'bytes' if raw is not None else 'numbers'}: the file is damaged")  # fmt: skip
    return name


def _value(value: Message) -> str:
    """Name of an input, output or described value of bounded size."""
    name, shape = "", []
    for field, part in _fields(value):
        if field == 1:
            name = str(_message(part), "utf-8")
        elif field == 2:
            for dimension in _inside(part, 1, 2, 1):  # type.tensor_type.shape.dim
                size = next((n for kind, n in _fields(dimension) if kind == 1 and isinstance(n, int)), 0)
                shape.append(_signed(size))
    elements(shape, f"its value {name[:80]!r}")
    return name


def _inside(value: int | Message, *path: int) -> Iterator[Message]:
    """Every message that lies at a path of field numbers."""
    for field, part in _fields(_message(value)):
        if field == path[0]:
            if len(path) == 1:
                yield _message(part)
            else:
                yield from _inside(part, *path[1:])


def _texts(message: Message, wanted: int) -> list[str]:
    return [str(_message(value), "utf-8") for field, value in _fields(message) if field == wanted]


def _count(value: int | Message, size_bytes: int | None) -> int:
    """Numbers in a packed list, or the one of a list that is not packed."""
    if isinstance(value, int):
        return 1
    if size_bytes is not None:
        return len(value) // size_bytes
    return sum(byte < 0x80 for byte in value)  # each varint ends with such a byte


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _message(value: int | Message) -> Message:
    if isinstance(value, int):
        raise LoadError("a number stands where a message must be: the file is damaged")
    return value


def _fields(message: Message) -> Iterator[tuple[int, int | Message]]:
    """Numbers and values of a message's fields, in order; fixed ones as views of their bytes."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        value: int | Message
        if wire == VARINT:
            value, at = _varint(message, at)
        elif wire in (FIXED64, LENGTH, FIXED32):
            length = {FIXED64: 8, FIXED32: 4}.get(wire, 0)
            if wire == LENGTH:
                length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            raise LoadError("it is no ONNX file, or a damaged one")
        if field == 0 or at > end:
            raise LoadError("it is no ONNX file, or ends too early")
        yield field, value


def _varints(message: Message) -> list[int]:
    numbers, at = [], 0
    while at < len(message):
        number, at = _varint(message, at)
        numbers.append(number)
        if len(numbers) > MAX_NODES:
            raise LoadError("a shape has thousands of sizes: the file is damaged")
    return numbers


def _varint(message: Message, at: int) -> tuple[int, int]:
    """A number in groups of 7 bits, lowest first, and where the next field begins."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise LoadError("it is no ONNX file, or ends too early")
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (1 << 64) - 1, at
    raise LoadError("it is no ONNX file, or a damaged one")
