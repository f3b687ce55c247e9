"""One detector for several cameras, with the real network in a real process that is really killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from edge.camera_process import CameraProcess
from edge.detector_keeper import DetectorKeeper
from edge.job import Beat
from edge.outbox import SqliteOutbox
from edge.scheduling import Refusal
from edge.shared_detector import SharedDetector, detector_for
from models import registry
from models.detector import Detection, Detector
from models.errors import ModelRefused, NotLooked
from monitor.domain.events import CameraState, WatchRecord, decode_numbered
from monitor.domain.levels import HcaGrade
from monitor.domain.privacy import NOTED_SCORE
from tests.doubles.edge_things import make_clip
from tests.doubles.shared_cameras import KeptDetector, jobs_for, until
from tests.integration.test_model_promotion import other_set
from tests.unit.models.parity import pictures

TWO = {"north": HcaGrade.III, "south": HcaGrade.I}
PICTURES = pictures()


def looked(detector: Detector, picture: NDArray[np.uint8]) -> tuple[Detection, ...] | None:
    """What it sees; None if nobody looked."""
    try:
        return detector.detect(picture)
    except NotLooked:
        return None


def surely(detector: Detector, picture: NDArray[np.uint8]) -> tuple[Detection, ...]:
    """As a camera does on a busy machine: ask until somebody looks."""
    found: list[tuple[Detection, ...] | None] = []
    until(lambda: found.append(looked(detector, picture)) or found[-1] is not None)
    assert found[-1] is not None
    return found[-1]


def test_a_shared_detector_finds_the_very_same_and_its_death_costs_looks_but_no_box(tmp_path: Path) -> None:
    """Boxes are those of a camera's own detector, to the last digit; killed with -9 under two cameras that look all
    the time it is back within seconds, no look of either gets the other's boxes, and none is an empty answer."""
    own = registry.load(score_min=NOTED_SCORE)
    expected = {name: own.detect(picture) for name, picture in PICTURES.items()}
    with KeptDetector(jobs_for(tmp_path, TWO)) as kept:
        cameras = kept.cameras()
        assert {name: surely(cameras["north"], picture) for name, picture in PICTURES.items()} == expected
        assert cameras["north"].info == own.info

        views = {"north": "whole, 16:9", "south": "six machines"}
        assert expected[views["north"]] != expected[views["south"]]
        seen: dict[str, list[tuple[Detection, ...] | None]] = {camera: [] for camera in views}
        stop = threading.Event()

        def watch(camera: str) -> None:
            while not stop.is_set():
                seen[camera].append(looked(cameras[camera], PICTURES[views[camera]]))
                time.sleep(0.01)

        threads = [threading.Thread(target=watch, args=(camera,), daemon=True) for camera in views]
        for thread in threads:
            thread.start()
        try:
            for deaths in (1, 2):
                before = {camera: len(answers) for camera, answers in seen.items()}
                until(lambda n=before: all(any(seen[c][n[c] :]) for c in views))  # both are served
                first = kept.keeper.pid
                assert first is not None
                os.kill(first, signal.SIGKILL)
                until(lambda n=deaths: kept.keeper.restarts == n)
            before = {camera: len(answers) for camera, answers in seen.items()}
            until(lambda: all(any(seen[c][before[c] :]) for c in views))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for camera, answers in seen.items():
            assert None in answers, "nothing was refused while no detector was there"
            assert {a for a in answers if a is not None} == {expected[views[camera]]}, camera


def test_a_detector_that_hangs_is_killed_and_cameras_do_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its tracks: a look ends by itself as 'no answer', the process is killed, the next one serves."""
    monkeypatch.setattr("edge.detector_keeper.HUNG_S", 4.0)
    monkeypatch.setattr("edge.shared_detector.RUN_S", 0.5)
    with KeptDetector(jobs_for(tmp_path, TWO)) as kept:
        north = kept.cameras()["north"]
        picture = PICTURES["small"]
        surely(north, picture)
        hung = kept.keeper.pid
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        began_s = time.monotonic()
        with pytest.raises(NotLooked) as told:
            north.detect(picture)
        assert told.value.why in (Refusal.NO_ANSWER, Refusal.ABSENT)
        assert time.monotonic() - began_s < 15.0
        surely(north, picture)
        assert kept.keeper.restarts >= 1
        assert not psutil.pid_exists(hung)


def test_weights_that_are_not_their_cards_serve_nobody(tmp_path: Path) -> None:
    """One byte of the shared network's file changed: no look at all, and not a single box."""
    folder = tmp_path / "weights"
    shutil.copytree(registry.find(None), folder)
    weights = bytearray((folder / "model.onnx").read_bytes())
    weights[-1] ^= 1
    (folder / "model.onnx").write_bytes(weights)
    keeper = DetectorKeeper()
    with KeptDetector(jobs_for(tmp_path, TWO, folder), keeper) as kept:
        until(lambda: keeper.restarts >= 1)

        north = detector_for(kept.jobs[0], lambda: pytest.fail("asked what for, though nobody serves"))
        with pytest.raises(NotLooked):
            north.detect(PICTURES["small"])


def test_a_camera_that_names_another_model_than_the_one_that_looks_is_told_so(tmp_path: Path) -> None:
    """The weights were exchanged while it ran: it starts again rather than sign events with the wrong hash."""
    folder = tmp_path / "weights"
    shutil.copytree(registry.find(None), folder)
    with KeptDetector(jobs_for(tmp_path, TWO, folder)) as kept:
        north = kept.cameras()["north"]
        card = (folder / "card.yaml").read_text()
        (folder / "card.yaml").write_text(card.replace(north.info.sha256, "ab" * 32))
        south = kept.cameras()["south"]
        with pytest.raises(ModelRefused):  # not at once: a promoted detector may just take over
            surely(south, PICTURES["small"])
        surely(north, PICTURES["small"])


def test_a_camera_that_is_alone_has_its_own(tmp_path: Path) -> None:
    """No second process, no copy of the picture."""
    (job,) = DetectorKeeper().seated(jobs_for(tmp_path, {"north": HcaGrade.I}))
    assert job.seat is None


def test_cameras_come_and_go_and_the_others_are_looked_at_all_the_while(tmp_path: Path) -> None:
    """Each look that is asked while a detector with one more seat loads is answered, by the old one or the new one;
    whoever leaves costs nobody anything, and the last one keeps its seat instead of loading a network of its own."""
    jobs = jobs_for(tmp_path, {**TWO, "third": HcaGrade.II})
    with KeptDetector(jobs[:2]) as kept:
        north = kept.cameras()["north"]
        expected = surely(north, PICTURES["small"])
        told: list[object] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                try:
                    told.append(north.detect(PICTURES["small"]))
                except NotLooked as exc:
                    told.append(exc.why)
                time.sleep(0.01)

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            first = kept.keeper.pid
            kept.change(jobs)
            assert surely(kept.cameras()["third"], PICTURES["small"]) == expected
            second = kept.keeper.pid
            assert second != first
            until(lambda: not psutil.pid_exists(first or 0))
            kept.change(jobs[:2])
            kept.change(jobs[:1])
            before = len(told)
            until(lambda: len(told) > before + 5)
            assert (kept.keeper.shares, kept.keeper.pid, kept.keeper.restarts) == (True, second, 0)
            assert kept.jobs[0].seat is not None
        finally:
            stop.set()
            watching.join()
    late = sum(one is Refusal.LATE for one in told)  # a machine that is busy with other things
    assert [one for one in told if one not in (expected, Refusal.LATE)] == []
    assert late < len(told) / 2


def test_a_promoted_detector_takes_over_and_no_camera_begins_anew(tmp_path: Path) -> None:
    """The old one looks while the new one loads; cameras change over while they look, and each names who looked."""
    new = other_set(tmp_path / "weights")
    with KeptDetector(jobs_for(tmp_path, TWO)) as kept:
        cameras = kept.cameras()
        north = cameras["north"]
        assert isinstance(north, SharedDetector)
        expected, first = surely(north, PICTURES["small"]), kept.keeper.pid
        told: list[object] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                try:
                    told.append(north.detect(PICTURES["small"]))
                except Exception as exc:
                    told.append(exc)
                time.sleep(0.01)

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            kept.change(tuple(msgspec.structs.replace(job, weights_dir=new) for job in kept.jobs))
            assert not kept.keeper.serves_as_wanted
            before = len(told)
            until(lambda: kept.keeper.serves_as_wanted)
            assert any(one == expected for one in told[before:])  # the old one looked meanwhile
            north.adopt(new, "onnxruntime")
            before = len(told)
            until(lambda: any(one == expected for one in told[before:]))
            assert kept.keeper.pid != first
            assert north.info.version == "2-test"
        finally:
            stop.set()
            watching.join()
    assert [one for one in told if not (one == expected or isinstance(one, NotLooked))] == []


def test_a_detector_that_cannot_come_up_leaves_the_old_one_in_its_place(tmp_path: Path) -> None:
    """Weights that were spoilt since the start: who was watched is watched on, the new camera is not."""
    folder = tmp_path / "weights"
    shutil.copytree(registry.find(None), folder)
    jobs = jobs_for(tmp_path, {**TWO, "third": HcaGrade.II}, folder)
    with KeptDetector(jobs[:2]) as kept:
        north, first = kept.cameras()["north"], None
        surely(north, PICTURES["small"])
        first = kept.keeper.pid
        (folder / "model.onnx").write_bytes(b"spoilt")
        kept.change(jobs)
        until(lambda: kept.keeper.restarts >= 1)
        surely(north, PICTURES["small"])
        assert kept.keeper.pid == first


def test_cameras_at_a_shared_detector_look_through_windows_once_they_are_compiled(tmp_path: Path) -> None:
    """A window costs a third of the whole picture; asked of a detector that has not compiled it, it would wait for
    seconds, so the cameras are told when they may; the boxes are those of a camera's own detector."""
    own = registry.load(score_min=NOTED_SCORE)
    with KeptDetector(jobs_for(tmp_path, TWO)) as kept:
        north = kept.cameras()["north"]
        assert isinstance(north, SharedDetector)
        until(lambda: north.windows_ready)
        frame = PICTURES["whole, 16:9"]
        height, width = frame.shape[:2]
        part = frame[: height // 2, : width // 2]
        expected = own.detect(part, long_side_px=320)
        assert expected
        found: list[tuple[Detection, ...]] = []

        def asked() -> bool:
            with contextlib.suppress(NotLooked):
                found.append(north.detect(part, long_side_px=320))
            return bool(found)

        until(asked)
        assert found == [expected]
        first = kept.keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: not north.windows_ready)  # the next one has to compile them anew


def test_time_in_which_looks_are_refused_is_unwatched_and_the_camera_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera whose stream is fine and whose detector isn't there: not one look, not one watched second, and a state
    of its own; when the detector comes it streams, and only from then on it counts as watched."""
    monkeypatch.setattr("edge.looks.IN_VAIN_S", 1.0)
    monkeypatch.setattr("edge.shared_detector.PATIENCE_S", 0.1)
    clip = make_clip(tmp_path / "clip.mp4", seconds=8.0)
    kept = KeptDetector(jobs_for(tmp_path, TWO))
    job = msgspec.structs.replace(
        kept.jobs[0], camera=msgspec.structs.replace(kept.jobs[0].camera, source=str(clip), loop=True)
    )
    ours, theirs = multiprocessing.Pipe(duplex=False)
    stop, beats = threading.Event(), list[Beat]()

    def heard(condition: Callable[[Beat], bool]) -> bool:
        while ours.poll():
            beats.append(msgspec.msgpack.decode(ours.recv_bytes(), type=Beat))
        return bool(beats) and condition(beats[-1])

    camera = threading.Thread(target=lambda: CameraProcess(job, theirs).run(stop), daemon=True)
    camera.start()
    try:
        until(lambda: heard(lambda beat: beat.state is CameraState.UNANALYSED))
        assert (beats[-1].served, beats[-1].looks) == (0, 0)
        assert beats[-1].refused == {"absent": beats[-1].asked}
        assert beats[-1].reason == "detector_absent"
        with kept:
            until(lambda: heard(lambda beat: beat.state is CameraState.STREAMING and beat.served > 1))
    finally:
        stop.set()
        camera.join(30)
    rows = SqliteOutbox(job.outbox_path).unreceipted(100)
    minutes = [m for m in (decode_numbered(row.payload) for row in rows) if isinstance(m, WatchRecord)]
    dark_s = sum(m.state_s.get("unanalysed", 0.0) for m in minutes)
    assert dark_s > 0
    assert sum(m.watched_s for m in minutes) <= sum(m.span_s for m in minutes) - dark_s + 0.1
    assert sum(m.looks for m in minutes) > 0
