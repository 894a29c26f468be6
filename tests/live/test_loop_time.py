"""The live loop over time: never out of breath, of one shape, and as good as the device allows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import (
    LoadError,
    Size,
)
from livematte._clock import ManualClock
from livematte._live import Live
from livematte._shape import UNKNOWN_SIZE

sys.path.insert(0, str(Path(__file__).parent))

from timed import GREEN, colour, loaded, parts, plain, steps, timed


class TestTime:
    def test_the_time_of_a_frame_is_when_it_came(self) -> None:
        live, out, _, _ = timed()
        shown = steps(live, out, 4)
        assert [frame.pts for frame in shown] == pytest.approx([0, 33_333, 66_666, 100_000], abs=2)
        assert {frame.time_base.denominator for frame in shown} == {1_000_000}

    def test_latency_is_from_arrival_to_output(self) -> None:
        live, out, network, _ = timed(governor=False)
        network.cost_ms = 20
        steps(live, out, 40)
        assert live.status()["latency"] == {"p50_ms": 20, "p95_ms": 20, "p99_ms": 20}
        assert live.status()["dropped"] == 0
        assert live.status()["fps"] == pytest.approx(30, abs=0.5)

    def test_frames_that_cannot_be_kept_up_with_are_dropped_and_counted(self) -> None:
        live, out, network, _ = timed(governor=False)
        network.cost_ms = 50
        steps(live, out, 40)
        status = live.status()
        assert status["dropped"] >= 15
        assert status["latency"]["p99_ms"] <= 50 + 1000 / 30 + 1  # one frame waits at most

    def test_a_camera_that_stands_still_is_covered(self) -> None:
        live, out, network, clock = timed()
        steps(live, out, 3)
        live._capture.take = lambda timeout_s: clock.advance_ms(1000 * timeout_s)
        shown = steps(live, out, 20)
        assert all(np.ptp(frame.planes[0]) == 0 for frame in shown)
        assert network.runs == 3
        pts = [frame.pts for frame in shown]
        assert 200_000 < pts[0] - out.frames[2].pts < 300_000
        assert (pts[-1] - pts[0]) / 19 == pytest.approx(33_333, rel=0.02)


class TestGovernor:
    def test_under_a_hog_the_rate_stays_and_the_quality_goes(self) -> None:
        live, out, network, _ = timed()
        network.cost_ms = 12
        steps(live, out, 60)
        assert live.status()["rung"] == "full"
        network.cost_ms = 55  # another program takes the processor
        steps(live, out, 120)
        status = live.status()
        assert status["rung"] in {"every-2nd", "every-3rd"}
        dropped = status["dropped"]
        steps(live, out, 150)
        assert live.status()["dropped"] == dropped  # nothing is lost any more
        assert live.status()["fps"] == pytest.approx(30, abs=1)
        assert live.stats.covered == 0
        network.cost_ms = 5
        steps(live, out, 600)
        assert live.status()["rung"] == "full"
        rungs = [change["rung"] for change in live.status()["rungs"]]
        assert rungs[0] == "every-2nd"
        assert rungs[-1] == "full"

    def test_half_size_is_for_outputs_that_can_take_it(self) -> None:
        for resizes, rung, size in ((True, "half-size", Size(160, 90)), (False, "no-refinement", parts.SIZE)):
            live, out, _, _ = timed(resizes=resizes)
            live._parts.governor.begin("half-size", 0, "told to")
            live._parts.set_framing(False)
            shown = steps(live, out, 4)
            assert live.status()["rung"] == rung
            assert {frame.size for frame in shown} == {size}
            assert colour(shown[-1]) == plain(GREEN)
            height, width = shown[-1].planes[0].shape
            assert shown[-1].planes[0][height * 3 // 4, width // 2] != plain(GREEN)[0]

    def test_a_larger_network_that_cannot_be_had_is_told_whatever_is_chosen(self) -> None:
        def load(spec: str) -> Any:
            if spec == "livematte:base":
                raise LoadError("its file is broken")
            return parts.Figure(spec)

        live, out, _, _ = timed(model="livematte:fast", load=load)
        live._parts.start()
        loaded(live)
        steps(live, out, 120)
        loaded(live)
        steps(live, out, 1)
        live.dismiss()
        assert live.status()["error"] == "livematte:base: its file is broken"
        assert live.status()["rung"] == "full"
        live._parts.close()

    def test_the_larger_network_joins_when_it_is_there(self) -> None:
        made: dict[str, Any] = {}

        def load(spec: str) -> Any:
            return made.setdefault(spec, parts.Figure(spec))

        live, out, _, _ = timed(model="livematte:fast", load=load)
        live._parts.start()
        loaded(live)
        steps(live, out, 120)
        loaded(live)
        before = made["livematte:fast"].runs
        steps(live, out, 30)
        assert live.status()["rung"] == "large-input"
        assert made["livematte:base"].runs >= 29
        assert made["livematte:fast"].runs <= before + 1
        assert live.status()["model"] == "livematte:fast"
        live._parts.close()
        assert made["livematte:base"].closed == made["livematte:fast"].closed == 1

    def test_weights_of_ones_own_are_never_exchanged_for_others(self) -> None:
        own = Path(__file__).parents[1] / "golden" / "network-256x144.onnx"
        live, out, _, _ = timed(model="livematte:fast", weights=str(own), engine="onnxruntime")
        live._parts.start()
        loaded(live)
        live._parts.exchange()
        mine = live._parts.stages.segmenter
        assert mine.size == Size(256, 144)
        steps(live, out, 240)
        assert live.status()["rung"] == "full"
        assert live._parts.stages.segmenter is mine
        assert live.status()["error"] is None
        live._parts.close()
        other, _, _, _ = timed(model="livematte:base", weights=str(own))
        assert "livematte:fast" not in other._parts._larger  # nor do they become the larger input of another network
        other._parts.close()

    def test_switched_off_it_changes_nothing(self) -> None:
        live, out, network, _ = timed(governor=False)
        network.cost_ms = 80
        steps(live, out, 60)
        assert live.status()["rungs"] == []


class TestOneShape:
    @pytest.mark.parametrize("size", [Size(640, 360), Size(90, 160), Size(321, 181)])
    def test_whatever_the_camera_gives_the_output_keeps_its_size(self, size: Size) -> None:
        out = parts.Output(lambda count: parts.end(live) if count == 8 else None)
        live = Live(lambda: parts.Room(out, size=size), out, model=parts.Figure(), effect=GREEN, size=parts.SIZE)
        live.run()
        assert {frame.size for frame in out.frames} == {parts.SIZE}
        assert {(frame.format, frame.matrix, frame.range) for frame in out.frames} == {
            (out.frames[0].format, out.frames[0].matrix, out.frames[0].range)
        }

    def test_without_a_size_it_is_the_cameras(self) -> None:
        out = parts.Output(lambda count: parts.end(live) if count == 8 else None)
        live = Live(lambda: parts.Room(out, size=Size(200, 100)), out, model=parts.Figure(), effect=GREEN)
        live.run()
        assert {frame.size for frame in out.frames} == {Size(200, 100)}

    def test_without_camera_and_size_there_is_a_usual_one(self) -> None:
        clock = ManualClock()
        live = Live(lambda: None, parts.Output(), model=parts.Figure(), effect=GREEN, clock=clock)
        live._capture = parts.TimedCamera(clock, lambda frame: frame)
        live._capture.info = None
        live.pause()
        assert steps(live, live._sink, 1)[-1].size == UNKNOWN_SIZE


class TestStatus:
    def test_what_the_output_tells_stands_in_it(self) -> None:
        live, out, _, _ = timed()
        assert (live.status()["connection"], live.status()["output_dropped"]) == (None, 0)
        out.state, out.dropped, out.trouble = "reconnecting", 7, "output: reconnecting to srt://host: it is gone"
        status = live.status()
        assert (status["connection"], status["output_dropped"], status["error"]) == (out.state, 7, out.trouble)
        live._error = "the film is gone"
        assert live.status()["error"] == f"the film is gone; {out.trouble}"
