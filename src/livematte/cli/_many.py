"""Several inputs: which file each becomes, and how they are worked through."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from livematte._address import without_secrets
from livematte._alike import alike
from livematte._errors import LivematteError, OptionError, SinkError
from livematte.cli import Stopped, complain, is_unwritable, unexpected

VIDEO_SUFFIX, ALPHA_SUFFIX = ".mp4", ".mov"
"""Of a video whose own suffix is not written, and where it would hold no alpha."""

NAMES_SHOWN = 10
"""Failed inputs that the last line names; each had a line of its own before."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input that becomes one output."""

    input: str
    output: str


def pair(inputs: Sequence[str], output: str, *, alpha: bool, grey: bool) -> tuple[list[Item], Path | None]:
    """What each input becomes, and the folder that holds all of it; None where `output` is the only output itself.

    Videos and pictures become files of the same name in a folder, which `output` is by a / at its end or by being
    there. A folder of pictures alone, and what has no name (a pipe), fill that folder themselves.

    Args:
        alpha: the outputs are transparent.
        grey: they are mattes.

    Raises:
        OptionError: several inputs and no folder; two of one name.
    """
    from livematte.sources import source_name

    into = output.endswith(("/", "\\")) or Path(output).is_dir()
    if len(inputs) == 1 and not (into and source_name(inputs[0])[0] in ("file", "image")):
        return [Item(inputs[0], output)], None
    if not into:
        raise OptionError(f"{len(inputs)} inputs want a folder as their output, as in -o out/; got {output}")
    folder = Path(output)
    items = [Item(source, f"{folder}/{output_name(source, alpha=alpha, grey=grey)}") for source in inputs]
    check_apart(items)
    return items, folder


def output_name(source: str, *, alpha: bool, grey: bool) -> str:
    """The name of what becomes of an input, in a folder: its own, with a suffix that holds the result.

    Raises:
        OptionError: it has no name.
    """
    from livematte.sinks._codecs import ALPHA, CONTAINERS
    from livematte.sinks.folder import renamed
    from livematte.sources import source_name

    kind, argument = source_name(source)
    path = Path(argument or "")
    if kind == "image":
        return renamed(path.name, alpha=alpha, grey=grey)
    if kind == "folder":
        return f"{path.resolve().name}/"
    if kind != "file":
        raise OptionError(f"{without_secrets(source)} has no name for its output to take; give it an -o of its own")
    held = ALPHA if alpha else CONTAINERS
    suffix = path.suffix if path.suffix.lower() in held else ALPHA_SUFFIX if alpha else VIDEO_SUFFIX
    return path.stem + suffix


def check_apart(items: Iterable[Item]) -> None:
    """Refuse two inputs that would become one file; see `alike`.

    Raises:
        OptionError: names the two.
    """
    if two := alike(items, lambda item: item.output):
        raise OptionError(
            f"{two[0].input} and {two[1].input} would both become {two[1].output}; rename one of them, or give each an "
            f"-o of its own"
        )


@contextlib.contextmanager
def folders_of(items: Iterable[Item], root: Path | None) -> Iterator[None]:
    """The folders that outputs below `root` need, made; those that stay empty go again.

    Raises:
        SinkError: the folder above `root` is missing, or one cannot be made.
    """
    from livematte.sinks._partial import check_folder

    made: list[Path] = []
    try:
        if root is not None:
            check_folder(root.resolve().parent)
            wanted = {root, *(Path(item.output).parent for item in items)}
            missing = {above for folder in wanted for above in (folder, *folder.parents) if not above.exists()}
            for folder in sorted(missing, key=lambda path: len(path.parts)):
                try:
                    folder.mkdir()
                except OSError as exc:
                    raise SinkError(f"cannot make the folder {folder}: {exc.strerror}") from exc
                made.append(folder)
        yield
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # it holds something
                folder.rmdir()


def each(
    items: Sequence[Item],
    work: Callable[[Item, str], None],
    failed: Callable[[Item, str], None],
    *,
    debug: bool = False,
) -> None:
    """Work through all; what fails, for whatever reason, is told at once, and the others are done all the same.

    Args:
        work: does one; its second argument says which it is of how many.
        failed: told of each that failed, and why.
        debug: show tracebacks.

    Raises:
        LivematteError: names those that failed, at the end.
    """
    lost: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            work(item, f"{number} of {len(items)}, {Path(item.input).name}")
        except Stopped as exc:
            done = number - 1 - len(lost)
            exc.left = f"{done} of {len(items)} are done, of {item.input} nothing was written"
            raise
        except Exception as exc:
            if is_unwritable(exc):  # of all that is printed, not of this one
                raise
            if debug:
                traceback.print_exc(file=sys.stderr)
            why = str(exc) if isinstance(exc, LivematteError) else unexpected(exc)
            complain(f"{item.input}: {why}")
            failed(item, why)
            lost.append(item.input)
    if lost:
        more = f" and {len(lost) - NAMES_SHOWN} more" if len(lost) > NAMES_SHOWN else ""
        raise LivematteError(f"{len(lost)} of {len(items)} inputs failed: {', '.join(lost[:NAMES_SHOWN])}{more}")
