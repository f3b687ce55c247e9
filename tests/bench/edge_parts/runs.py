"""One side over one scenario, in real time: started, waited for, counted, heard, ended.

A side runs pinned to one core, with all its children; the bench itself, the RTSP server and the broker
stay on the others. CPU is counted from the first frame that counts to half a second before the last.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from edge import coverage
from edge.job import outbox_path
from edge.outbox import SqliteOutbox
from hcawatch.demo.rtsp import RtspServer
from monitor.domain.assets import Camera, City, PictureZone
from monitor.domain.events import WatchRecord
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.bench.edge_parts.accounts import memory_mb, usage
from tests.bench.edge_parts.figures import Run
from tests.bench.edge_parts.relay import HOST, Relay
from tests.bench.edge_parts.scene import Scene
from tests.bench.edge_parts.truth import (
    FPS,
    RULE,
    RULE_IDS,
    SIZE_PX,
    Heard,
    between,
    for_peers,
    matched,
    onsets,
    polygon,
)  # fmt: skip
from tests.doubles.edge_centre import EdgeCentre, EvidenceServer
from tests.doubles.edge_things import NAME, city

CAMERA: Final = "street"
ROOT: Final = Path(__file__).resolve().parents[3]
PATIENCE_S: Final = 240.0
STALL_S: Final = 20.0
#: Frames at the end that are not counted: there the server hangs up.
TAIL_FRAMES: Final = 12
#: Events after the last whole passage that still count, as found or as false.
AFTER_S: Final = 3.0
_PIN: Final = (
    "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execvp(sys.argv[2], sys.argv[2:])"
)
_KINDS: Final = {rule_id: kind for kind, rule_id in RULE_IDS.items()}


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs share."""

    core: int
    scratch: Path
    say: Callable[[str], None]
    weights: Path


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a run spent over its part that counts."""

    cpu_s: float
    frames: int
    wall_s: float
    began_s: float
    ended_s: float
    #: pictures that were looked at
    looks: int
    #: of the stream that was counted: when each frame had been handed over
    frame_at_s: list[float]
    #: times that the stream had been opened by then; some open it again after its end
    opened: int


class Side:
    """A pinned process with its log; what it prints is kept with the time at which it came."""

    def __init__(
        self, bench: Bench, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> None:
        self.log = bench.scratch / f"{name}.log"
        self.lines: list[tuple[float, dict[str, Any]]] = []
        self._name = name
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PIN, str(bench.core), *command],
                cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                with contextlib.suppress(json.JSONDecodeError):
                    self.lines.append((time.time(), json.loads(line)))

    def check(self) -> None:
        """SystemExit with the end of its log if it has ended."""
        if (status := self.process.poll()) is not None:
            raise SystemExit(
                f"bench: {self._name} ended with status {status}. The end of what it said:\n{self.tail()}"
            )

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """In order, else by force."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


@contextlib.contextmanager
def served(bench: Bench, file: str) -> Iterator[RtspServer]:
    """The RTSP server of a scene's folder."""
    with RtspServer(Path(file).parent, log=bench.scratch / "rtsp.log") as server:
        yield server


def count(side: Side, relay: Relay, scene: Scene, looked: Callable[[], int]) -> Counted:
    """Wait through the scene; SystemExit if the side ends or the stream stands. `looked`: pictures until now."""
    _until(side, relay, scene.begin, PATIENCE_S)
    stream, looks = relay.frame_at_s, looked()
    first, spent, began_s = len(stream), usage(side.process.pid).cpu_s, time.time()
    _until(side, relay, scene.end - TAIL_FRAMES, STALL_S)
    last, all_spent, ended_s = len(stream), usage(side.process.pid).cpu_s, time.time()
    if relay.frame_at_s is not stream:
        raise SystemExit(
            f"bench: the stream broke off and was opened again; run it anew. The end of {side.log}:\n{side.tail()}"
        )
    return Counted(cpu_s=all_spent - spent, frames=last - first, wall_s=ended_s - began_s, began_s=began_s,
                   ended_s=ended_s, looks=looked() - looks,
                   frame_at_s=stream, opened=len(relay.streams))  # fmt: skip


def _until(side: Side, relay: Relay, frame: int, first_patience_s: float) -> None:
    seen, moved_s = len(relay.frame_at_s), time.monotonic()
    while seen < frame:
        time.sleep(0.02)
        side.check()
        if len(relay.frame_at_s) != seen:
            seen, moved_s = len(relay.frame_at_s), time.monotonic()
        elif time.monotonic() - moved_s > (STALL_S if seen else first_patience_s):
            raise SystemExit(
                f"bench: no frame was taken for long after frame {seen}; the end of {side.log}:\n{side.tail()}"
            )


def peer(bench: Bench, module: str, python: str, scene: Scene, file: str, more: Path | None = None) -> Run:
    """A peer over a scene; `more` holds packages that its Python lacks."""
    name = f"{module.removeprefix('peer_')}-{scene.scenario}"
    zones = for_peers()
    if file == scene.sub:
        zones = [{**z, "polygon": [(x / 3, y / 3) for x, y in z["polygon"]]} for z in zones]
    env = {"OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;tcp", "OPENCV_FFMPEG_THREADS": "1",
           "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(bench.scratch),
           "OMP_NUM_THREADS": "1"}  # fmt: skip
    if more is not None:
        env["PYTHONPATH"] = str(more)
    with served(bench, file) as server, Relay(server.port) as relay:
        url = server.url(Path(file).name).replace(f":{server.port}/", f":{relay.port}/")
        command = [
            python,
            "-m",
            f"tests.bench.edge_parts.{module}",
            url,
            str(bench.weights),
            json.dumps(zones),
        ]
        side = Side(bench, name, command, env)
        try:
            counted = count(side, relay, scene, lambda: sum("looks" in said for _, said in side.lines))
            time.sleep(1.0)  # what it is about to say
        finally:
            side.stop()
        heard = [Heard(kind=f["onset"], at_s=f["at_s"]) for _, f in side.lines if "onset" in f]
        return _run(module.removeprefix("peer_"), scene, counted, heard)


def ours(
    bench: Bench, broker: EmbeddedBroker, edge_id: str, scene: Scene, backend: str, *, sub: bool = False
) -> tuple[Run, str]:
    """Our worker over a scene, and the detector's backend that it took. `sub`: it is offered the substream too."""
    with _edge(bench, broker, edge_id, scene, backend, endless=False, sub=sub) as (side, relay, centre):
        path = outbox_path(bench.scratch / edge_id)
        counted = count(side, relay, scene, lambda: _looked(path, centre))
        centre.wait(lambda c: bool(c.statuses), 5.0)
        chosen = centre.statuses[-1].detector.get("backend", backend)
        side.stop()  # the last minute is closed and sent
        at_s = {seq: arrived_s for arrived_s, seq in reversed(centre.arrived)}
        told = [e for e in centre.events() if e.phase == "onset"]
        heard = [Heard(kind=_KINDS.get(e.rule_id, e.rule_id), at_s=at_s[e.seq]) for e in told]
        minutes = [m for m in centre.messages.values() if isinstance(m, WatchRecord)]
        bench.say(f"{edge_id}: the detector ran {sum(m.detector_runs for m in minutes)} times, lead included")
        return _run("ours", scene, counted, heard), chosen


def _looked(path: Path, centre: EdgeCentre) -> int:
    """Looks of our worker until now: those of the minutes that are told, and of the one that it keeps."""
    told = [m for m in tuple(centre.messages.values()) if isinstance(m, WatchRecord)]
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        kept = [m for m in map(coverage.load, outbox.minutes(CAMERA)) if m is not None]
    return sum(m.looks for m in told) + sum(m.looks for m in kept)


def memory(bench: Bench, broker: EmbeddedBroker, edge_id: str, scene: Scene, backend: str, *, warm_s: float,
           for_s: float, every_s: float = 10.0) -> list[tuple[float, float]]:  # fmt: skip
    """(seconds, megabytes) of our worker while the scene goes round and round."""
    samples: list[tuple[float, float]] = []
    with _edge(bench, broker, edge_id, scene, backend, endless=True) as (side, relay, _):
        _until(side, relay, round(warm_s * FPS), PATIENCE_S)
        began_s = time.monotonic()
        while (now_s := time.monotonic() - began_s) < for_s:
            side.check()
            samples.append((now_s, memory_mb(side.process.pid)))
            if len(samples) % 30 == 0:
                bench.say(f"memory: {samples[-1][1]:.0f} MB after {now_s:.0f} s of {for_s:.0f}")
            time.sleep(every_s)
    return samples


@contextlib.contextmanager
def _edge(
    bench: Bench,
    broker: EmbeddedBroker,
    edge_id: str,
    scene: Scene,
    backend: str,
    *,
    endless: bool,
    sub: bool = False,
) -> Iterator[tuple[Side, Relay, EdgeCentre]]:
    with (
        served(bench, scene.main) as server,
        Relay(server.port) as relay,
        EdgeCentre(broker, edge_id) as centre,
        EvidenceServer("t") as evidence,
    ):
        # frames are counted of the stream that is looked at
        counted = server.url(Path(scene.sub if sub else scene.main).name, endless=endless).replace(
            f":{server.port}/", f":{relay.port}/"
        )
        place = town(edge_id, counted)
        if sub:
            place = town(edge_id, server.url(Path(scene.main).name, endless=endless), counted)
        (bench.scratch / f"{edge_id}.city").write_bytes(msgspec.json.encode(place))
        (bench.scratch / f"{edge_id}.settings").write_bytes(msgspec.json.encode({
            "data_dir": str(bench.scratch / edge_id), "mqtt_host": broker.host, "mqtt_port": broker.port,
            "mqtt_user": edge_id, "mqtt_password": broker.passwords[edge_id], "centre_url": evidence.url,
            "edge_token": "t", "weights_dir": str(bench.weights), "backend": backend,
        }))  # fmt: skip
        told = [str(bench.scratch / f"{edge_id}.{part}") for part in ("city", "settings")]
        side = Side(bench, edge_id, [sys.executable, "-m", "tests.bench.edge_parts.worker", *told, edge_id])
        try:
            yield side, relay, centre
        finally:
            side.stop()


def town(edge_id: str, url: str, substream: str | None = None) -> City:
    """One camera with the two zones."""
    zones = tuple(
        PictureZone(zone_id=kind, kind=RULE[kind].zone, polygon_px=polygon(kind))
        for kind in RULE
        if RULE[kind].zone
    )
    street = Camera(camera_id=CAMERA, edge_id=edge_id, site_id="hca-1", name=NAME, source=url,
                    substream=substream, footage="simulated", frame_size_px=SIZE_PX, zones=zones)  # fmt: skip
    return city(street, networks=(f"{HOST}/32",))


def limit(bench: Bench, scene: Scene, backend: str, moving: Sequence[tuple[int, int]]) -> dict[str, float]:
    """CPU seconds of decoding and detecting the moving frames only."""
    command = [sys.executable, "-m", "tests.bench.edge_parts.limit", scene.main, str(bench.weights), backend,
               json.dumps(moving)]  # fmt: skip
    side = Side(bench, "limit", command)
    side.process.wait()
    time.sleep(0.5)
    if not side.lines:
        side.check()
    return dict(side.lines[-1][1])


def _run(name: str, scene: Scene, counted: Counted, heard: list[Heard]) -> Run:
    truth = between(onsets(scene.passages), scene.begin, scene.end)
    at_s = counted.frame_at_s
    # what comes after the last whole passage belongs to one that the end cuts off
    last_s = at_s[min(truth[-1].last_frame, len(at_s) - 1)] + AFTER_S if truth else counted.ended_s
    score = matched(truth, [h for h in heard if h.at_s <= last_s], at_s)
    return Run(side=name, scenario=scene.scenario, cpu_s=counted.cpu_s, frames=counted.frames, wall_s=counted.wall_s,
               looks=counted.looks, score=score, opened=counted.opened)  # fmt: skip
