"""Files of networks in other formats as ONNX files: what `livematte models convert` does."""

from __future__ import annotations

from pathlib import Path

from livematte._errors import OptionError, WeightsError
from livematte._frame import Size
from livematte.engines._converted import onnx_of
from livematte.engines._file import read, write_atomically
from livematte.models._dequantise import dequantised, is_quantised
from livematte.models._derived import fixed, open_picture, read_onnx

KERAS_SIZE = Size(512, 512)
"""Of DeepLabV3+ where nothing is said: what it was trained on."""

SUFFIXES = (".tflite", ".json", ".h5", ".onnx")


def convert(source: Path, target: Path, size: Size | None = None) -> str:
    """Write an ONNX file that computes what `source` does, in one step.

    Args:
        source: .tflite; .json, a TensorFlow.js graph model with its weights beside it; .h5, Keras weights of
            DeepLabV3+ on Xception-65; or .onnx, whose open size becomes fixed, or whose quantised operators
            become float.
        target: .onnx file.
        size: of the picture, where the source leaves it open.

    Returns:
        What was done, in words.

    Raises:
        OptionError: endings that are not converted, or a size where it means nothing.
        MissingExtra, LoadError: it cannot be read, or has an operator without a rule.
        WeightsError: the target cannot be written.
    """
    if target.suffix != ".onnx":
        raise OptionError(f"what is written is ONNX: name it .onnx, not {target.name!r}")
    if source.suffix not in SUFFIXES:
        raise OptionError(f"{source.name} is none of {', '.join(SUFFIXES)}: it cannot be converted")
    if size is not None and source.suffix not in {".h5", ".onnx"}:
        raise OptionError(f"a {source.suffix} file has its own size; --size is for .h5 and .onnx")
    if source.suffix == ".h5":
        from livematte.models._xception import converted

        data = converted(read(source), source.name, None, size or KERAS_SIZE)
        done = f"Keras weights of DeepLabV3+ as a graph for {size or KERAS_SIZE}"
    elif source.suffix == ".onnx":
        data, done = _rewritten(source, size)
    else:
        data, done = onnx_of(source), "graph rewritten for ONNX"
    try:
        write_atomically(target, data)
    except OSError as exc:
        raise WeightsError(f"cannot write {target}: {exc.strerror or exc}") from exc
    return done


def _rewritten(source: Path, size: Size | None) -> tuple[bytes, str]:
    """An ONNX graph with float operators, or with a fixed size."""
    data = read(source)
    model = read_onnx(data, source.name)
    if is_quantised(model):
        return dequantised(data, source.name), "quantised operators as float ones"
    if size is None:
        raise OptionError(f"{source.name} is a float ONNX file: pass --size WIDTHxHEIGHT to fix its open size")
    picture = open_picture(model)
    if picture is None:
        raise OptionError(f"{source.name} leaves no size open, or takes more than one picture: nothing to fix here")
    name, shape = picture
    return fixed(data, source.name, {name: shape(size)}), f"size fixed to {size}"
