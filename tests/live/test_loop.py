"""The live loop: steered between frames, open only while somebody looks, and its ends."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import (
    Blur,
    LivematteError,
    LoadError,
    OpenError,
    OptionError,
    SourceError,
    Transparent,
    UnknownName,
)
from livematte._live import PAUSED_FPS, Live, make_effect, spelled
from livematte._watch import LINGER_NS
from livematte.sources.synthetic import Synthetic

sys.path.insert(0, str(Path(__file__).parent))

from timed import BLUE, GREEN, PERSON, colour, loaded, parts, plain, steps, timed


class TestSteering:
    def test_an_effect_is_exchanged_between_two_frames(self) -> None:
        live, out, _, _ = timed()
        assert colour(steps(live, out, 2)[-1]) == plain(GREEN)
        live.set_effect("color:blue")
        assert colour(steps(live, out, 1)[-1]) == plain(BLUE)
        assert live.status()["effect"] == "color:#0000ff"

    def test_a_wrong_effect_is_told_to_who_asked_and_changes_nothing(self) -> None:
        live, out, _, _ = timed()
        for wrong, error in (("blurr", UnknownName), ("blur:9", OptionError), ("image:none.png", OpenError)):
            with pytest.raises(error):
                live.set_effect(wrong)
        assert colour(steps(live, out, 1)[-1]) == plain(GREEN)

    def test_switches_of_an_effect(self) -> None:
        assert make_effect("blur:0.4", softness=0.7) == Blur(0.4, softness=0.7)
        with pytest.raises(OptionError):
            make_effect(Blur(), softness=0.7)

    def test_pause_closes_the_camera_though_the_output_hangs(self) -> None:
        hangs, goes_on, closed = threading.Event(), threading.Event(), threading.Event()

        class Camera(parts.Room):
            def __exit__(self, *exc: Any) -> None:
                closed.set()

        def written(count: int) -> None:
            if count == 3:
                hangs.set()
                assert goes_on.wait(30)

        out = parts.Output(written)
        live = Live(lambda: Camera(out), out, model=parts.Figure(), effect=GREEN)
        thread = threading.Thread(target=live.run)
        thread.start()
        assert hangs.wait(30)
        live.pause()
        was_closed = closed.wait(10)
        live.stop()
        goes_on.set()
        thread.join()
        assert was_closed

    def test_a_network_is_loaded_beside_the_stream(self) -> None:
        may_load, new = threading.Event(), parts.Figure("mediapipe:landscape")

        def load(spec: str) -> Any:
            assert may_load.wait(30)
            return new

        live, out, old, _ = timed(load=load)
        steps(live, out, 2)
        live.set_model("mediapipe:landscape")
        steps(live, out, 3)
        assert live.status()["loading"]
        assert (live.status()["model"], old.runs) == ("figure", 5)
        may_load.set()
        loaded(live)
        steps(live, out, 2)
        assert live.status()["model"] == "mediapipe:landscape"
        assert not live.status()["loading"]
        assert (old.runs, live.stats.covered) == (5, 0)
        assert old.closed == 0  # it was lent
        live._parts.close()
        assert new.closed == 1

    def test_a_network_that_cannot_be_loaded_leaves_the_one_there_is(self) -> None:
        def load(spec: str) -> Any:
            raise LoadError("its file is broken")

        live, out, old, _ = timed(load=load)
        live.set_model("bodypix")
        steps(live, out, 1)
        loaded(live)
        steps(live, out, 2)
        status = live.status()
        assert (status["model"], status["error"]) == ("figure", "bodypix: its file is broken")
        assert (old.runs, live.stats.covered) == (3, 0)
        with pytest.raises(UnknownName):
            live.set_model("bodypicks")

    def test_what_was_asked_for_in_vain_is_told_until_something_else_is_chosen(self) -> None:
        def load(spec: str) -> Any:
            raise LoadError("its file is broken")

        live, out, _, _ = timed(load=load)
        live.set_model("bodypix")
        steps(live, out, 1)
        loaded(live)
        steps(live, out, 30)
        assert live.status()["error"] == "bodypix: its file is broken"
        live.dismiss()
        assert live.status()["error"] is None
        live.set_model("bodypix")
        steps(live, out, 1)
        loaded(live)
        steps(live, out, 1)
        assert live.status()["error"] == "bodypix: its file is broken"

    def test_a_network_at_work_that_fails_is_told_whatever_is_chosen(self) -> None:
        def load(spec: str) -> Any:
            if network is None:
                return parts.Figure(spec)
            raise LoadError("its file has gone")

        network = None
        live, out, _, _ = timed(model="livematte:fast", load=load)
        live._parts.start()
        loaded(live)
        steps(live, out, 1)
        network = live._parts._usual
        network.dead = True
        for _ in range(60):  # it is loaded again each second, in vain
            steps(live, out, 1)
            loaded(live)
        live.dismiss()
        assert "livematte:fast" in live.status()["error"]
        live._parts.close()

    def test_one_asked_for_before_the_first_is_there_does_not_end_the_stream(self) -> None:
        def load(spec: str) -> Any:
            if spec != "livematte:fast":
                raise LoadError("it is not on this machine")
            return parts.Figure(spec)

        live, out, _, _ = timed(model="livematte:fast", load=load)
        live.set_model("bodypix")
        steps(live, out, 1)
        loaded(live)
        steps(live, out, 1)
        assert live.status()["error"] == "bodypix: it is not on this machine"
        loaded(live)
        steps(live, out, 2)
        assert live.status()["model"] == "livematte:fast"
        assert live.status()["error"] == "bodypix: it is not on this machine"  # the other one came; this one did not
        assert live.stats.covered == 2
        live._parts.close()

    def test_of_several_wishes_the_newest_counts(self) -> None:
        made = []

        def load(spec: str) -> Any:
            made.append(parts.Figure(spec))
            return made[-1]

        live, out, _, _ = timed(load=load)
        for name in ("bodypix", "deeplabv3", "mediapipe"):
            live.set_model(name)
        steps(live, out, 1)
        loaded(live)
        steps(live, out, 1)
        assert [figure.name for figure in made] == ["mediapipe"]

    def test_framing_moves_the_window(self) -> None:
        live, out, _, _ = timed()
        whole = steps(live, out, 1)[-1]
        live.set_framing(True)
        near = steps(live, out, 1)[-1]
        assert live.status()["framing"]
        assert (near.planes[0] != plain(GREEN)[0]).mean() > 1.2 * (whole.planes[0] != plain(GREEN)[0]).mean()
        live.set_framing(False)
        np.testing.assert_array_equal(steps(live, out, 1)[-1].planes[0], whole.planes[0])

    def test_pause_closes_the_camera_and_the_plate_goes_on_slowly(self) -> None:
        live, out, network, clock = timed()
        steps(live, out, 3)
        live.pause()
        start_ns, shown = clock(), steps(live, out, 6)
        assert not live._capture.wanted
        assert network.runs == 3
        assert all(np.ptp(plane) == 0 for frame in shown for plane in frame.planes)
        assert clock() - start_ns == pytest.approx(5e9 / PAUSED_FPS, rel=0.1)
        assert live.status()["paused"]
        live.resume()
        steps(live, out, 3)
        assert network.runs > 3
        live.toggle_pause()
        steps(live, out, 1)
        assert live.status()["paused"]

    def test_transparency_is_for_outputs_that_began_with_it(self) -> None:
        live, _, _, _ = timed()
        with pytest.raises(OptionError, match="transparent"):
            live.set_effect("transparent")
        clear, out, _, _ = timed(Transparent())
        assert steps(clear, out, 1)[-1].alpha[PERSON].min() > 200
        clear.set_effect("color:blue")
        assert (steps(clear, out, 1)[-1].alpha == 255).all()

    def test_effects_are_spelled_as_they_are_asked_for(self) -> None:
        for text in ("blur:0.6", "color:#0000ff", "transparent", "off"):
            assert spelled(make_effect(text)) == text


class TestOnDemand:
    def test_the_camera_is_open_only_while_somebody_reads(self) -> None:
        live, out, network, clock = timed()
        readers = [0]
        live._watch._ask = lambda: readers[0]
        shown = steps(live, out, 5)
        assert (network.runs, live._capture.wanted) == (0, False)
        assert all(np.ptp(frame.planes[0]) == 0 for frame in shown)
        readers[0] = 1
        steps(live, out, 5)
        assert network.runs > 0
        readers[0] = 0
        gone_ns = clock()
        while live._capture.wanted:
            live.step(out)
        assert clock() - gone_ns >= 0.9 * LINGER_NS
        assert live.status()["readers"] == 0

    def test_an_output_that_cannot_tell_is_read(self) -> None:
        live, out, network, _ = timed()
        steps(live, out, 2)
        assert network.runs == 2
        assert live.status()["readers"] is None


class TestEnds:
    def test_with_its_source(self) -> None:
        out = parts.Output()
        live = Live(lambda: Synthetic(parts.SIZE, frames=20), out, model=parts.Figure(), effect=GREEN)
        stats = live.run()
        assert stats.frames == len(out.frames) >= 1
        assert out.left_by is None
        assert live.status()["camera"] == "ended"

    def test_with_its_output(self) -> None:
        out = parts.Output()
        out.ended = False

        def written(count: int) -> None:
            out.ended = count == 5

        out._written = written
        Live(lambda: parts.Room(out), out, model=parts.Figure(), effect=GREEN).run()
        assert len(out.frames) == 5

    def test_no_camera_at_the_start_is_an_error_or_waited_for(self) -> None:
        tries = []

        def absent() -> Any:
            tries.append(1)
            raise OpenError("there is no camera 'x'")

        with pytest.raises(OpenError, match="no camera 'x'"):
            Live(absent, parts.Output(), model=parts.Figure(), effect=GREEN).run()
        assert len(tries) == 1
        out = parts.Output(lambda count: parts.end(live) if count == 20 else None)
        live = Live(absent, out, model=parts.Figure(), effect=GREEN, size=parts.SIZE, wait=True)
        live._capture._pause = lambda seconds: out.wait_for(1)
        live.run()
        assert len(out.frames) == live.stats.covered == 20
        assert live.status()["error"] == "there is no camera 'x'"

    def test_with_an_error_that_no_opening_heals(self) -> None:
        class Broken(Synthetic):
            def __iter__(self) -> Any:
                yield self.frame(0)
                raise SourceError("the file is damaged")

        out = parts.Output()
        with pytest.raises(SourceError, match="damaged"):
            Live(lambda: Broken(parts.SIZE), out, model=parts.Figure(), effect=GREEN).run()
        assert out.left_by is SourceError

    def test_a_first_network_that_cannot_be_loaded(self) -> None:
        def load(spec: str) -> Any:
            raise LoadError("its file is broken")

        out = parts.Output()
        with pytest.raises(LivematteError, match="broken"):
            Live(lambda: parts.Room(out), out, model="livematte:fast", load=load, effect=GREEN).run()
        assert all(np.ptp(frame.planes[0]) <= 2 for frame in out.frames)

    def test_no_thread_stays(self) -> None:
        out = parts.Output(lambda count: parts.end(live) if count == 3 else None)
        live = Live(
            lambda: parts.Room(out), out, model="livematte:fast", effect=GREEN, load=lambda spec: parts.Figure()
        )
        live.run()
        assert [t.name for t in threading.enumerate() if t.name.startswith("livematte")] == []

    def test_once(self) -> None:
        out = parts.Output(lambda count: parts.end(live) if count == 3 else None)
        live = Live(lambda: parts.Room(out), out, model=parts.Figure(), effect=GREEN)
        live.run()
        with pytest.raises(OptionError, match="a stream runs once"):
            live.run()
        assert len(out.frames) == 3
