"""The demo's real footage: fetched once, proven by its hash, and a clear word when it can't be had.

One test asks Debian; the others put a small package and a stand-in for apt-get in its place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from hcawatch.demo import footage
from hcawatch.demo.footage import CLIPS, FootageUnavailable, fetch_clip, fetch_vtest

HAS_APT = shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None
pytestmark = pytest.mark.skipif(not HAS_APT, reason="no apt-get here, so no package to fetch")

CLIP = b"a few pictures"


def quiet(_line: str) -> None:
    pass


@pytest.fixture(autouse=True)
def no_footage_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(footage.ENVIRONMENT, raising=False)


@pytest.fixture
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real .deb with two tiny clips, whose hashes take the place of the real ones'."""
    root = tmp_path / "package"
    folder = root / footage.FOLDER_IN_PACKAGE
    folder.mkdir(parents=True)
    for name in CLIPS:
        (folder / name).write_bytes(CLIP)
    (folder / "something-else").write_bytes(b"x" * 100_000)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        "Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n"
    )
    package = tmp_path / "opencv-doc_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", root, package], check=True, capture_output=True)
    monkeypatch.setattr(footage, "CLIPS", dict.fromkeys(CLIPS, hashlib.sha256(CLIP).hexdigest()))
    monkeypatch.setattr(footage, "PACKAGE_BYTES", package.stat().st_size)
    return package


def stand_in_for_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """An apt-get of ours before the real one; answers the file that its calls are noted in."""
    programs = tmp_path / "programs"
    programs.mkdir()
    calls = tmp_path / "calls"
    program = programs / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{calls}"\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return calls


def test_the_real_clip_comes_from_debian_even_without_package_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a container's image: no lists, so that private ones must be fetched first."""
    honest = footage._apt

    def without_lists(arguments: list[str], *rest: object) -> bool:
        if "Dir::State::Lists" not in " ".join(arguments):
            arguments = ["-o", f"Dir::State::Lists={tmp_path / 'none'}", *arguments]
        return honest(arguments, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(footage, "_apt", without_lists)
    lines: list[str] = []
    clip = fetch_vtest(tmp_path / "cache", lines.append)
    assert any("package lists" in line for line in lines)
    with av.open(str(clip)) as source:
        video = source.streams.video[0]
        assert (video.width, video.height, video.average_rate) == (768, 576, 10)
    kept = sorted(path.name for path in (tmp_path / "cache").iterdir() if path.name[0] != ".")
    assert kept == sorted(CLIPS), "the 95 MB of the package stayed behind"
    assert fetch_vtest(tmp_path / "cache", lines.append) == clip


def test_a_second_call_fetches_nothing(
    tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both clips came with the first."""
    calls = stand_in_for_apt(tmp_path, monkeypatch, f'cp "{small_package}" .')
    for name in (*CLIPS, *CLIPS):
        assert fetch_clip(name, tmp_path / "cache", quiet).read_bytes() == CLIP
    assert len(calls.read_text().splitlines()) == 1


def test_two_that_ask_at_once_fetch_once(
    tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    """The second waits for the first and finds the clip."""
    calls = stand_in_for_apt(tmp_path, monkeypatch, f'sleep 1; cp "{small_package}" .')
    program = (
        "import sys; from pathlib import Path; from hcawatch.demo import footage;"
        "footage.CLIPS = dict.fromkeys(footage.CLIPS, sys.argv[2]);"
        "print(footage.fetch_vtest(Path(sys.argv[1]), lambda line: None))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "cache"), hashlib.sha256(CLIP).hexdigest()]
    both = [subprocess.Popen(command, cwd=repository, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(calls.read_text().splitlines()) == 1


def test_a_fetch_that_was_killed_is_done_anew(
    tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a package, half a clip and a lock file lie there."""
    cache = tmp_path / "cache"
    (cache / ".download" / "package").mkdir(parents=True)
    (cache / ".download" / "package" / "opencv-doc_1_all.deb").write_bytes(b"half")
    (cache / ".vtest.avi.partial").write_bytes(b"half")
    (cache / "vtest.avi").write_bytes(b"damaged on the disk")
    stand_in_for_apt(tmp_path, monkeypatch, f'cp "{small_package}" .')
    assert fetch_vtest(cache, quiet).read_bytes() == CLIP
    assert not (cache / ".download").exists()
    assert not (cache / ".vtest.avi.partial").exists()


def test_another_clip_of_the_same_name_is_not_taken(
    tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash decides, not the name."""
    monkeypatch.setattr(footage, "CLIPS", dict.fromkeys(CLIPS, "0" * 64))
    stand_in_for_apt(tmp_path, monkeypatch, f'cp "{small_package}" .')
    with pytest.raises(FootageUnavailable, match="another one than we know"):
        fetch_vtest(tmp_path / "cache", quiet)
    assert not (tmp_path / "cache" / "vtest.avi").exists()


def test_what_apt_says_and_what_to_do_stand_in_one_line(
    tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network, or a machine whose sources lack the package."""
    stand_in_for_apt(tmp_path, monkeypatch, "echo 'E: Unable to locate package opencv-doc' >&2; exit 100")
    with pytest.raises(FootageUnavailable) as caught:
        fetch_vtest(tmp_path / "cache", quiet)
    said = str(caught.value)
    assert "Unable to locate package" in said
    assert "--footage FILE" in said
    assert "\n" not in said


def test_a_download_that_stands_still_is_given_up(
    tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows packets must not hold the demo for ever."""
    monkeypatch.setattr(footage, "STALL_S", 1.0)
    stand_in_for_apt(tmp_path, monkeypatch, "sleep 300")
    began_s = time.monotonic()
    with pytest.raises(FootageUnavailable):
        fetch_vtest(tmp_path / "cache", quiet)
    assert time.monotonic() - began_s < 20


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not everybody runs Debian."""
    monkeypatch.setattr(footage.shutil, "which", lambda _: None)
    with pytest.raises(FootageUnavailable, match="apt-get is not here"):
        fetch_vtest(tmp_path / "cache", quiet)


def test_the_users_own_clip_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands for vtest.avi; a folder is looked into; a name that leads nowhere is a mistake."""
    own = tmp_path / "own.mp4"
    own.write_bytes(b"anything")
    monkeypatch.setattr(footage, "CLIPS", dict.fromkeys(CLIPS, hashlib.sha256(CLIP).hexdigest()))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "vtest.avi").write_bytes(CLIP)  # an earlier start's, which it goes before
    monkeypatch.setenv(footage.ENVIRONMENT, str(own))
    assert fetch_vtest(tmp_path / "cache", quiet) == own
    monkeypatch.setenv(footage.ENVIRONMENT, str(tmp_path))
    (tmp_path / "tree.avi").write_bytes(b"anything")
    assert fetch_clip("tree.avi", tmp_path / "cache", quiet) == tmp_path / "tree.avi"
    monkeypatch.setenv(footage.ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(FootageUnavailable, match="nowhere"):
        fetch_vtest(tmp_path / "cache", quiet)
