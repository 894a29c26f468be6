"""What a TFLite file must be before a runtime gets to see it.

A FlatBuffer is a web of offsets that a reader follows blindly. This follows every one that a runtime
will, keeps it inside the file, and checks what the schema demands: indices that exist, tensors whose
constants have the bytes that their shapes need, operators that read only what was made before them.

Source: FlatBuffers binary format ("FlatBuffer Internals"); TFLite schema 3a, whose field numbers
stand below.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from livematte._errors import LoadError
from livematte.engines._file import MAX_NODES, elements

MARK = b"TFL3"

BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 8: 8, 9: 1, 10: 8, 12: 8, 15: 4, 16: 2}
"""TensorType -> bytes of one number; types of other widths (strings, 4 bits) are not checked."""

VECTOR_OPTIONS = {17: 0, 30: 0}
"""BuiltinOptions that hold a vector -> its field: ReshapeOptions.new_shape, SqueezeOptions.squeeze_dims."""

ABSENT = -1
"""Index of an optional input that is left out."""


def check(data: bytes, source: Path) -> None:
    """Refuse what is no TFLite file, or a hostile one.

    Raises:
        LoadError: what is wrong with it, with the name of the file.
    """
    if data[4:8] != MARK:
        raise LoadError(f"{source} is not a TFLite file: it does not carry the mark TFL3")
    try:
        _model(_Table(data, _u32(data, 0)))
    except LoadError as exc:
        raise LoadError(f"{source}: {exc}") from None
    except (struct.error, IndexError) as exc:
        raise LoadError(f"{source}: an offset leads out of the file: it is damaged") from exc


class _Table:
    """One table of a FlatBuffer: fields by number, every access inside the file."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        (back,) = _unpack("<i", data, at)
        self._vtable = at - back
        length, self._size = _unpack("<HH", data, self._vtable)
        self._fields = _unpack(f"<{(length - 4) // 2}H", data, self._vtable + 4) if length >= 4 else ()
        if length < 4 or at + self._size > len(data) or any(field >= max(self._size, 1) for field in self._fields):
            raise LoadError("a table of it leads out of the file: it is damaged")

    def number(self, field: int, layout: str) -> int:
        """A scalar; 0 where it is left out."""
        offset = self._offset(field)
        return int(_unpack(layout, self.data, self.at + offset)[0]) if offset else 0

    def vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Where a vector's items begin, and how many there are; (0, 0) where it is left out."""
        start = self._target(field)
        if not start:
            return 0, 0
        count = _u32(self.data, start)
        if start + 4 + count * item_bytes > len(self.data):
            raise LoadError("a vector of it ends outside of the file: it is damaged")
        return start + 4, count

    def integers(self, field: int) -> tuple[int, ...]:
        start, count = self.vector(field, 4)
        if count > MAX_NODES:
            raise LoadError(f"a list of it has {count} numbers, more than {MAX_NODES}: refused")
        return _unpack(f"<{count}i", self.data, start) if count else ()

    def tables(self, field: int) -> Iterator[_Table]:
        start, count = self.vector(field, 4)
        if count > MAX_NODES:
            raise LoadError(f"a list of it has {count} parts, more than {MAX_NODES}: refused")
        for at in range(start, start + 4 * count, 4):
            yield _Table(self.data, at + _u32(self.data, at))

    def table(self, field: int) -> _Table | None:
        target = self._target(field)
        return _Table(self.data, target) if target else None

    def text(self, field: int) -> str:
        start, count = self.vector(field, 1)
        return self.data[start : start + count].decode("utf-8", "replace")

    def _offset(self, field: int) -> int:
        return int(self._fields[field]) if field < len(self._fields) else 0

    def _target(self, field: int) -> int:
        offset = self._offset(field)
        return self.at + offset + _u32(self.data, self.at + offset) if offset else 0


def _model(model: _Table) -> None:
    codes = []
    for code in model.tables(1):
        code.text(1)
        codes.append(code)
    buffers = [_buffer(table) for table in model.tables(4)]
    model.text(3)
    for metadata in model.tables(6):
        metadata.text(0)
    graphs = list(model.tables(2))
    if not graphs or not codes:
        raise LoadError("it holds no graph: it is damaged")
    for graph in graphs:
        _graph(graph, len(codes), buffers)


def _buffer(table: _Table) -> int:
    """Bytes of one constant; 0 for none."""
    _, count = table.vector(0, 1)
    if table.number(1, "<Q") > 1:  # 0 and 1 mean that the bytes lie in the vector
        raise LoadError("a constant of it lies behind the graph, which is not read here: export it as one FlatBuffer")
    return count


def _graph(graph: _Table, codes: int, buffers: list[int]) -> None:
    known, count = set(), 0
    for index, tensor in enumerate(graph.tables(0)):
        if _tensor(tensor, index, buffers):
            known.add(index)
        count += 1
    inside = _within(count)
    inputs, outputs = (inside(graph.integers(field), False) for field in (1, 2))
    if not outputs:
        raise LoadError("its graph has no output")
    known.update(inputs)
    for operator in graph.tables(3):
        if not 0 <= operator.number(0, "<I") < codes:
            raise LoadError("an operator of it is none that it lists: it is damaged")
        reads, makes = inside(operator.integers(1), True), inside(operator.integers(2), True)
        if not known.issuperset(reads):
            raise LoadError("its graph is a circle, or reads a tensor that nothing makes")
        known.update(makes)
        inside(operator.integers(8), True)
        operator.vector(5, 1)
        _options(operator)
    if not known.issuperset(outputs):
        raise LoadError("nothing makes an output of it")
    graph.text(4)


def _options(operator: _Table) -> None:
    for kind, options in ((3, 4), (11, 12)):
        table = operator.table(options)
        field = VECTOR_OPTIONS.get(operator.number(kind, "<B"))
        if table is not None and kind == 3 and field is not None:
            table.integers(field)


def _tensor(tensor: _Table, index: int, buffers: list[int]) -> bool:
    """Whether a tensor is there before the first operator: a constant, or a variable."""
    name = tensor.text(3)[:80]
    shape, buffer = tensor.integers(0), tensor.number(2, "<I")
    what = f"its tensor {index} {name!r}"
    elements(shape, what)
    elements(tensor.integers(7), what)
    if buffer >= len(buffers):
        raise LoadError(f"{what} has constants that are not there: it is damaged")
    if (quantization := tensor.table(4)) is not None:
        for field, item_bytes in ((0, 4), (1, 4), (2, 4), (3, 8)):
            quantization.vector(field, item_bytes)
        quantization.table(5)
    if tensor.table(6) is not None:
        raise LoadError(f"{what} is sparse, which is not read here: export it with dense weights")
    size_bytes = BYTES.get(tensor.number(1, "<b"))
    if buffers[buffer] and size_bytes and buffers[buffer] != math.prod(shape) * size_bytes:
        raise LoadError(f"{what} claims the shape {list(shape)}, and has {buffers[buffer]} bytes: it is damaged")
    return bool(buffers[buffer]) or bool(tensor.number(5, "<B")) or 0 in shape


def _within(count: int) -> Callable[[tuple[int, ...], bool], tuple[int, ...]]:
    """Checks indices of tensors; those left out are dropped where that is allowed."""

    def inside(indices: tuple[int, ...], optional: bool) -> tuple[int, ...]:
        kept = tuple(n for n in indices if not (optional and n == ABSENT))
        if any(not 0 <= n < count for n in kept):
            raise LoadError(f"it names a tensor beyond its {count}: it is damaged")
        return kept

    return inside


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, ...]:
    if at < 0:
        raise LoadError("an offset leads out of the file: it is damaged")
    return struct.unpack_from(layout, data, at)


def _u32(data: bytes, at: int) -> int:
    return _unpack("<I", data, at)[0]
