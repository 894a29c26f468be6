"""TensorFlow.js `model.json`: which files of weights lie beside it, and how many bytes they hold.

Source: TensorFlow.js, `tfjs-core/src/io/types.ts`, `WeightsManifestConfig`: groups of tensors,
written one after the other and cut into the files of `paths`, wherever that falls.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livematte._errors import WeightsError

MAX_MANIFEST_BYTES = 64 << 20
"""Longest `model.json`; BodyPix's are of 0.1 MB."""

MAX_SHARDS = 256
"""Most files: 1 GiB in the 4 MiB that the converter cuts by default."""

MAX_BYTES = 1 << 30
"""Most bytes of all weights; ResNet50 in float32 has 0.1 GB."""

ITEM_BYTES = {"float32": 4, "int32": 4, "uint32": 4, "bool": 1, "uint8": 1, "float16": 2, "uint16": 2}
"""By the name of a type; strings have no fixed size and are refused."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}")
"""A file name that means the same everywhere: no path, no address, no hidden file."""

OUR_SUFFIXES = (".json", ".part", ".sha256", ".etag")
"""Endings of files that mean something else in the cache."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tensors that share files.

    Args:
        names: of the files, beside the manifest, in order.
        size_bytes: of all of them together.
    """

    names: tuple[str, ...]
    size_bytes: int


def read(path: Path, source: str) -> tuple[Group, ...]:
    """The groups of a manifest.

    Args:
        path: the `model.json`, whatever it is called on this machine.
        source: its name or address, for messages.

    Raises:
        WeightsError: no such manifest, names that are more than plain file names, or more
            files or bytes than a model has.
    """
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise WeightsError(
                f"{source} has {path.stat().st_size} bytes, a model.json has at most {MAX_MANIFEST_BYTES}"
            )
        manifest = json.loads(path.read_bytes())["weightsManifest"]
        groups = tuple(Group(tuple(group["paths"]), _bytes_of(group["weights"], source)) for group in manifest)
    except OSError as exc:
        raise WeightsError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise WeightsError(
            f"{source} is no TensorFlow.js model.json with a weightsManifest: {type(exc).__name__}: {exc}"
        ) from exc
    names: list[Any] = [name for group in groups for name in group.names]
    for name in names:
        if not isinstance(name, str) or not PLAIN_NAME.fullmatch(name) or name.lower().endswith(OUR_SUFFIXES):
            raise WeightsError(f"{source} names the weights {str(name)[:80]!r}, expected a plain file name beside it")
    if len({name.lower() for name in names}) != len(names):
        raise WeightsError(f"{source} names the same file of weights twice")
    if len(names) > MAX_SHARDS or sum(group.size_bytes for group in groups) > MAX_BYTES:
        raise WeightsError(
            f"{source} has {len(names)} files of weights with {sum(group.size_bytes for group in groups)} bytes, "
            f"expected at most {MAX_SHARDS} with {MAX_BYTES}"
        )
    return groups


def _bytes_of(weights: Any, source: str) -> int:
    """Bytes of all tensors of a group."""
    total = 0
    for entry in weights:
        dtype = _stored(entry)
        if dtype not in ITEM_BYTES:
            raise WeightsError(
                f"{source}: weights of type {str(dtype)[:40]!r}, expected one of {', '.join(ITEM_BYTES)}"
            )
        shape = entry["shape"]
        if not all(type(n) is int and n >= 0 for n in shape):
            raise WeightsError(f"{source}: weights of shape {str(shape)[:80]}, expected whole numbers")
        total += ITEM_BYTES[dtype] * math.prod(shape)
    return total


def _stored(entry: Mapping[str, Any]) -> Any:
    """Type in the file: that of the quantisation, where there is one."""
    return (entry.get("quantization") or entry)["dtype"]
