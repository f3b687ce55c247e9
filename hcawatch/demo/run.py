"""`hcawatch demo`: prepares the clips, starts every part, plays the story, and says what happened.

The parts are those of production; only the excavator's picture, the officers' phones and the people in
the room are simulated, and say so. `--once` kills the edge worker in mid-story, lets it come back, and
ends with the report.
"""

import contextlib
import logging
import shutil
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import yaml

from hcawatch.config import load
from hcawatch.demo import clips, report
from hcawatch.demo.cast import Cast
from hcawatch.demo.commentary import Commentary, Say
from hcawatch.demo.footage import FootageUnavailable, fetch_clip
from hcawatch.demo.proof import prove
from hcawatch.demo.rtsp import RtspServer
from hcawatch.demo.setting import EDGE, FIELD, TREES, DemoSetting, base_city_file, write_setting
from hcawatch.stack import Stack
from hcawatch.texts import text
from hcawatch.up import stop_event
from monitor.child import FolderInUse, FolderLock
from monitor.grafana.dashboards import write_dashboards
from monitor.logs import set_up_logs
from monitor.store.pool import make_pool

#: the run without a person ends by then, whatever happened
ONCE_LIMIT_S = 105.0
#: the excavator has left and its end is reported some seconds later; then the story is over
STORY_OVER_S = clips.STORY.gone_s + 6.0
#: the first picture has come by then, on the slowest machine
PICTURES_LIMIT_S = 120.0
#: half-way, the tree line's camera loses its stream
TREES_LOST_S = 33.0
#: but on a busy machine not before it was seen so long, up to so much later
TREES_SEEN_S, TREES_PATIENCE_S = 10.0, 25.0
#: with a person watching, that camera comes back for a while each time
TREES_AWAY_S = 60.0
#: people walk over the marked strip at this second of vtest.avi
PATH_BEGIN_S = 40.0


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


def main(
    *,
    once: bool = False,
    data_dir: Path | None = None,
    port: int | None = None,
    footage: Path | None = None,
    database: str | None = None,
    keep: bool = False,
    as_json: bool = False,
) -> int:
    """Run the demo; returns the exit status (0 only if every step of the chain happened)."""
    set_up_logs(logging.WARNING)
    stop = stop_event()
    say = Say(started_s=time.monotonic())
    base = (data_dir or platformdirs.user_data_path("hcawatch") / "demo").expanduser().absolute()
    cache = base / "cache"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DemoError(
            f"the folder {base} cannot be used ({exc.strerror}): name another with --data-dir"
        ) from exc
    run_dir = base / ("once" if once else "live")
    with Props(cache, footage, once, say) as props:
        if stop.is_set():
            return 130
        say.restart()
        if once and not keep:
            _clear(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        setting = props.write(run_dir / "demo.yaml", loop=not once)
        city = load(setting.config).city
        _write_dashboards(run_dir / "grafana", say)
        with Stack(
            config=setting.config, city=city, data_dir=run_dir, say=say, http_port=port, database_url=database
        ) as stack:
            story = Story(stack, setting, props, say, stop)
            if not once:
                return story.play_for_people()
            return story.play_once(as_json)


def _clear(folder: Path) -> None:
    """Forget the last run without a person: its report is printed, its data were only the demo's.

    A run that was killed left what it had; the folder's lock tells whether one is still at it.
    """
    if not folder.exists():
        return
    try:
        FolderLock(folder / "hcawatch.lock").release()
    except FolderInUse:
        return  # the stack says who holds it
    shutil.rmtree(folder)


def _write_dashboards(folder: Path, say: Say) -> None:
    """Grafana's dashboards as code, in both languages, ready to be applied."""
    write_dashboards(folder / "en", "en")
    write_dashboards(folder / "zh", "zh")
    say(text("dashboards", folder=folder))


class Props:
    """The clips and the cameras that serve them."""

    def __init__(self, cache: Path, footage: Path | None, once: bool, say: "Say") -> None:
        self._cache, self._footage, self._once, self._say = cache, footage, once, say
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Props":
        try:
            self._prepare()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _prepare(self) -> None:
        say, cache = self._say, self._cache
        try:
            say(text("real_footage") if self._footage is None else text("own_footage", file=self._footage))
            path_source = self._footage or fetch_clip("vtest.avi", cache, say.detail)
            trees_source = (
                fetch_clip("tree.avi", cache, say.detail) if self._footage is None else self._footage
            )
        except FootageUnavailable as exc:
            raise DemoError(str(exc)) from exc
        if not path_source.is_file():
            raise DemoError(f"there is no video {path_source}: name a file that exists with --footage")
        begin_s = PATH_BEGIN_S if self._footage is None else 0.0
        path_clip = clips.for_rtsp(path_source, cache, say.share, begin_s=begin_s)
        trees_clip = clips.for_rtsp(trees_source, cache, say.share)
        say(text("simulated_footage", seconds=clips.STORY.duration_s))
        self.field_clip, self.truth = clips.rendered(cache, say.share)
        self.path_camera, path_url = self._camera("path", path_clip)
        self.trees_camera, trees_url = self._camera("trees", trees_clip)
        self._urls = path_url, trees_url

    def _camera(self, name: str, clip: Path) -> tuple[RtspServer, str]:
        """One RTSP server that serves one clip, as one camera would."""
        folder = self._cache / f"camera-{name}"
        folder.mkdir(exist_ok=True)
        shown = folder / f"{name}.mp4"
        if not shown.exists() or not shown.samefile(clip):
            shown.unlink(missing_ok=True)
            shown.hardlink_to(clip)
        server = RtspServer(folder, log=self._cache / f"camera-{name}.log")
        server.start()
        self._open.callback(server.stop)
        return server, server.url(shown.name, endless=True)

    def write(self, target: Path, *, loop: bool) -> DemoSetting:
        """The configuration with these cameras."""
        base = yaml.safe_load(base_city_file().read_text(encoding="utf-8"))
        return write_setting(
            target, base=base, truth=self.truth, field_clip=self.field_clip,
            path_url=self._urls[0], trees_url=self._urls[1], loop=loop, today=datetime.now(UTC).date(),
        )  # fmt: skip


class Story:
    """The demo's play: who acts when, and what is told about it."""

    def __init__(
        self, stack: Stack, setting: DemoSetting, props: Props, say: Say, stop: threading.Event
    ) -> None:
        self._stack, self._setting, self._props, self._say, self._stop = stack, setting, props, say, stop

    def play_for_people(self) -> int:
        """Until Ctrl-C."""
        with self._on_stage() as commentary:
            self._print_logins()
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(f"{self._stack.url}/")
            began_s = self._await_pictures(commentary)
            self._await_trees_lost(began_s, commentary)
            away_since_s = time.monotonic()
            while not self._stop.wait(0.4):
                commentary.tell()
                self._restart_what_ended()
                if not self._props.trees_camera.is_alive() and time.monotonic() - away_since_s > TREES_AWAY_S:
                    self._props.trees_camera.start()
            self._say(text("ending"))
        return 0

    def play_once(self, as_json: bool) -> int:
        """The whole story with a kill in the middle; prints the report."""
        restarts = 0
        with self._on_stage() as commentary:
            self._say(text("console_at", url=self._stack.url, folder=self._stack.data_dir / "secrets"))
            began_s = self._await_pictures(commentary)
            trees_lost = False
            while not self._stop.wait(0.2) and time.monotonic() - began_s < ONCE_LIMIT_S:
                commentary.tell()
                at_s = time.monotonic() - began_s
                if not trees_lost and self._trees_may_go(at_s, commentary):
                    self._say(text("stream_lost"))
                    self._props.trees_camera.kill()
                    trees_lost = True
                if restarts == 0 and commentary.mid_story():
                    self._say(text("kill"))
                    self._stack.kill_edge(EDGE)
                    self._stack.start_edge(EDGE)
                    restarts = 1
                if at_s > STORY_OVER_S and trees_lost and commentary.over():
                    break
            if self._stop.is_set():
                return 130
            self._say(text("settling"))
            self._stack.stop_edge(EDGE, timeout_s=20.0)
        found = self._report(restarts)
        for sentence in (failed := report.judge(found, kills=1)):
            self._say(text("did_not_happen", what=sentence))
        print(found.as_json(), flush=True)
        return 1 if failed else 0

    # ------------------------------------------------------------------ parts of the play

    @contextlib.contextmanager
    def _on_stage(self) -> Iterator[Commentary]:
        """Edge, people and commentary, from the first frame to the last word."""
        self._stack.files_begin_anew()
        self._stack.start_edge(EDGE)
        self._say(text("edge", edge=EDGE))
        with (
            Cast(self._stack, self._say) as _cast,
            make_pool(self._stack.database_url, "demo", max_size=2) as pool,
        ):
            yield Commentary(pool, self._say, camera_id=FIELD, since=datetime.now(UTC))

    def _await_pictures(self, commentary: Commentary) -> float:
        """Until the field's camera streams: there the story begins, however long a busy machine takes to start."""
        limit_s = time.monotonic() + PICTURES_LIMIT_S
        while (for_s := commentary.streams_for_s(FIELD)) == 0.0 and time.monotonic() < limit_s:
            if self._stop.wait(0.2):
                break
            commentary.tell()
            self._restart_what_ended()
        self._stack.start_file_clock(time.time() - for_s)
        return time.monotonic() - for_s

    def _await_trees_lost(self, began_s: float, commentary: Commentary) -> None:
        while not self._stop.wait(0.4) and not self._trees_may_go(time.monotonic() - began_s, commentary):
            commentary.tell()
            self._restart_what_ended()
        self._props.trees_camera.kill()

    def _trees_may_go(self, at_s: float, commentary: Commentary) -> bool:
        if at_s < TREES_LOST_S:
            return False
        return at_s > TREES_LOST_S + TREES_PATIENCE_S or commentary.streams_for_s(TREES) > TREES_SEEN_S

    def _restart_what_ended(self) -> None:
        for name in self._stack.ended():
            self._say(text("ended_again", name=name))
            self._stack.restart(name)

    def _report(self, restarts: int) -> report.Report:
        with make_pool(self._stack.database_url, "report", max_size=1) as pool, pool.connection() as conn:
            audit, store = prove(conn, self._stack.data_dir)
            return report.collect(
                conn, outbox=self._stack.edge_folder(EDGE) / "outbox.sqlite", city=self._stack.city, setting=self._setting,
                restarts=restarts, audit=audit, store=store, broker=self._stack.broker_kind,
            )  # fmt: skip

    def _print_logins(self) -> None:
        url, passwords = self._stack.url, self._stack.passwords
        self._say("")
        for page, path, users in (
            (text("console"), "/", ("operator", "supervisor")),
            (text("field"), "/field", tuple(u for u in passwords if u.startswith("officer"))),
            (text("audit"), "/audit", ("auditor",)),
        ):
            self._say("  " + text("page_at", page=page, url=f"{url}{path}"))
            for user in users:
                self._say("    " + text("log_in_as", user=user, password=passwords[user]))
        self._say("")
        self._say(text("simulated_people"))
        sys.stdout.flush()
