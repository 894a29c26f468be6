"""The stages of a live stream, exchanged between two frames: network, effect, rung of the ladder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from livematte import _device
from livematte._cadence import Cadence, Held, NoNetwork
from livematte._clock import Clock
from livematte._errors import SourceError
from livematte._frame import Frame
from livematte._governor import Governor
from livematte._loader import Loaded, Loader
from livematte._pipeline import Find, Stages, estimate
from livematte._session import build_refiners
from livematte._stages import Effect, Refiner, Segmenter
from livematte.refine.guided import Guided, Upsample
from livematte.refine.room import Room

LARGER = {"livematte:fast": "livematte:base", "livematte:research-fast": "livematte:research"}
"""Networks for the rung `large-input`: of the same kind, with more pixels."""

FAILURES = 3
"""Frames in a row without a matte after which the network is loaded again: a tenth of a second."""

AGAIN_NS = 1_000_000_000
"""Between two tries to load a network again."""

USUAL, LARGE = "usual", "large"


class Exchange:
    """What happens to the next frame.

    Args:
        model: name of the first network, or one that is loaded.
        effect: of the background.
        load: makes a segmenter from its name, on another thread.
        larger: networks for the rung `large-input`, by the name of the usual one.
        card: makes a frame of the stream's kind, to try a network on.
        framing: follow the people with a window.
        governor: whether quality is lowered to keep up.
        lowest: rung of the ladder that the output can take.
        fps: frames a second.
        clock: of the stream.

    Attributes:
        stages, find: for `render()` and a frame of the camera.
        covering: for a frame that has nobody in it.
        spec: name of the network that is wanted or at work.
    """

    def __init__(
        self,
        model: str | Segmenter,
        effect: Effect,
        load: Callable[[str], Segmenter],
        card: Callable[[], Frame],
        *,
        larger: Mapping[str, str] = LARGER,
        framing: bool,
        governor: bool,
        lowest: str,
        fps: float,
        clock: Clock,
    ) -> None:
        self.governor = Governor(1000 / fps, governor, lowest)
        self._failing: str | None = None
        self._refused: tuple[str, str] | None = None  # the network asked for last, and why it could not be had
        self._dismissed: tuple[str, str] | None = None
        self._lacking: tuple[str, str] | None = None  # the same of the larger one
        self._left: str | None = None
        self._load, self._larger, self._card, self._clock = load, larger, card, clock
        self._effect, self._framing, self._budget_ms = effect, framing, 1000 / fps
        self._room: Room | None = None
        self._loader = Loader(self._make_ready)
        self._owned = isinstance(model, str)
        self._usual: Segmenter | None = None if isinstance(model, str) else model
        self._large: Segmenter | None = None
        self.spec = model if isinstance(model, str) else model.name
        self._cost: _device.Cost | None = None
        self._held, self._failures, self._tried_ns = Held(), 0, -AGAIN_NS
        self._at_work: Segmenter | None = None
        self._rebuild()

    def start(self) -> None:
        """Begin to load the first network."""
        if self._usual is None:
            self._loader.request(USUAL, self.spec)

    @property
    def engine(self) -> str | None:
        """Name of the engine that runs the network."""
        return None if self._usual is None else getattr(self.stages.segmenter, "engine", None)

    @property
    def error(self) -> str | None:
        """What is wrong with a network, in words: the one at work, one that was asked for last, or a larger one."""
        refused = self._refused
        lost = self._lacking if refused is None or refused is self._dismissed else refused
        return self._failing or self._left or (lost and ": ".join(lost))

    @property
    def loading(self) -> bool:
        """Whether a network is on its way."""
        return self._loader.waits_for(USUAL)

    @property
    def framing(self) -> bool:
        """Whether a window follows the people."""
        return self._framing

    def set_effect(self, effect: Effect) -> None:
        """Another background."""
        self._effect = effect
        self.forget()  # a matte at hand may hold who does not stay any more: outside a zone, or far away
        self._rebuild()

    def set_framing(self, on: bool) -> None:
        """Follow the people, or show the whole picture."""
        self._framing = on
        self._rebuild()

    def set_room(self, room: Room | None) -> None:
        """What knows the room without people, in the shape of the stream."""
        self._room = room
        self.forget()
        self._rebuild()

    def set_model(self, spec: str) -> None:
        """Ask for another network."""
        self._refused = None
        self._loader.request(USUAL, spec)

    def dismiss(self) -> str | None:
        """Something else was chosen: a network that could not be had matters no more, unless it is the one at work.

        Returns:
            Its name. May be called from any thread: what fails meanwhile is told all the same.
        """
        refused = self._refused
        if refused is None or refused is self._dismissed or refused[0] == self.spec:
            return None
        self._dismissed = refused
        return refused[0]

    def set_fps(self, fps: float) -> None:
        """The camera's rate."""
        self._budget_ms = 1000 / fps
        self.governor.set_fps(fps)

    def forget(self) -> None:
        """The next frame gets a matte of its own."""
        self._held.matte = None

    def exchange(self) -> bool:
        """Put in place what was loaded.

        Returns:
            Whether another network is at work now.

        Raises:
            LivematteError: the first network cannot be loaded.
        """
        for loaded in self._loader.poll():
            self._take(loaded)
        if self.governor.rung.large and self._large is None and not self._loader.waits_for(LARGE):
            self._loader.request(LARGE, self._larger[self.spec])
        if self._at_work is self._wanted():
            return False
        self._at_work, self._held.matte = self._wanted(), None
        self._rebuild()
        return True

    def observe(self, now_ns: int, spent_ns: int, skipped: int, covered: bool) -> None:
        """Take note of a frame of the camera: how long it took, and whether it had to be covered."""
        if self._usual is None:
            return
        if covered:
            self._failed(now_ns)
            return
        self._failures, self._failing = 0, None
        if self.governor.observe(now_ns / 1e6, spent_ns / 1e6, skipped):
            self._rebuild()

    def close(self) -> None:
        """Free the networks that were loaded here; `error` names one whose load hangs, which is left behind."""
        left = self._loader.close()
        if left is not None:
            self._left = f"{left} was still being loaded at the end of the stream, and was left behind"
        for segmenter in (self._usual if self._owned else None, self._large):
            if segmenter is not None:
                segmenter.close()

    def _take(self, loaded: Loaded) -> None:
        if loaded.segmenter is None:
            self._refuse(loaded)
        elif loaded.purpose == LARGE:
            if self._larger.get(self.spec) == loaded.spec:
                self._large = loaded.segmenter
            else:  # the usual one was exchanged meanwhile
                loaded.segmenter.close()
        else:
            self._put(loaded.spec, loaded.segmenter)

    def _refuse(self, loaded: Loaded) -> None:
        told = loaded.spec, str(loaded.error)
        if loaded.purpose == LARGE:
            self._lacking = told
            self.governor.exchange(False, self._now_ms())
            return
        if self._usual is None and loaded.error is not None:
            if loaded.spec == self.spec:
                raise loaded.error
            self._loader.request(USUAL, self.spec)  # it gave way to this one before it was there
        self._refused = told

    def _put(self, spec: str, segmenter: Segmenter) -> None:
        old = [self._usual if self._owned else None]
        if spec != self.spec or self._usual is None:
            old.append(self._large)
            self._large = None
        first = self._usual is None
        self.spec, self._usual, self._owned = spec, segmenter, True
        self._failures, self._failing, self._lacking = 0, None, None
        if self._refused is not None and self._refused[0] == spec:  # it can be had again
            self._refused = None
        for one in old:
            if one is not None:
                one.close()
        self.governor.exchange(spec in self._larger, self._now_ms())
        if first and self._cost is not None:
            rung, reasons = _device.first_rung(_device.this_device(), self._cost, self._budget_ms)
            self.governor.begin(rung, self._now_ms(), "; ".join(reasons[:-1]))

    def _failed(self, now_ns: int) -> None:
        """The network gave no matte: load it again, now and then."""
        self._failures += 1
        if self._failures < FAILURES:
            return
        self._failing = f"{self.spec} gives no matte; the picture is covered"
        if self.governor.rung.large and self._large is not None:
            self._large.close()
            self._large = None
            self.governor.exchange(False, self._now_ms())
        elif self._owned and not self.loading and now_ns - self._tried_ns >= AGAIN_NS:
            self._tried_ns = now_ns
            self._loader.request(USUAL, self.spec)

    def _wanted(self) -> Segmenter | None:
        return self._large if self.governor.rung.large and self._large is not None else self._usual

    def _rebuild(self) -> None:
        """Stages for the present effect, network and rung."""
        rung, segmenter = self.governor.rung, self._wanted()
        refiners = build_refiners(self._effect, temporal=True, refine=rung.refine, room=self._room)
        self.covering = Stages(NoNetwork(), refiners, self._effect, framing=self._framing)
        self.stages = self.covering
        self.find: Find = estimate
        if segmenter is not None:
            self.stages = replace(self.covering, segmenter=segmenter)
            self.find = Cadence(rung.every, _at_network_size(refiners), self._held).find

    def _make_ready(self, spec: str) -> Segmenter:
        """Load a network and try it, so that its first frame is no slower than others."""
        segmenter = self._load(spec)
        try:
            cost = _device.measure(segmenter, self._effect, self._card(), self._clock)
        except SourceError:
            return segmenter  # the effect's film or picture is gone: the loop will tell
        except BaseException:
            segmenter.close()
            raise
        self._cost = self._cost or cost
        return segmenter

    def _now_ms(self) -> float:
        return self._clock() / 1e6


def _at_network_size(refiners: tuple[Refiner, ...]) -> int:
    """How many of the refiners come before the one that goes to the frame's size."""
    return next(index for index, refiner in enumerate(refiners) if isinstance(refiner, (Guided, Upsample)))
