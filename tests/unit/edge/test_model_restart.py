"""A restart goes on with the detector that was in use: with none that was refused, and no set it needs is swept away."""

import os
from pathlib import Path

import httpx
import pytest

from edge.model_care import ModelCare
from edge.model_fetch import Fetcher, SetRefused, folder_of
from edge.model_swap import MOST_DEATHS
from hcawatch import promotion
from tests.integration.test_model_promotion import other_set

BACKEND = "onnxruntime"


def client() -> httpx.Client:
    """Of a centre that is away: what is tested lies on the edge's disk."""
    return httpx.Client(base_url="http://127.0.0.1:9")


def refuses(_folder: Path, _backend: str) -> None:
    raise SetRefused("its network does not run here")


def runs(_folder: Path, _backend: str) -> None:
    """As one that looked."""


@pytest.fixture
def edge(tmp_path: Path) -> Path:
    return tmp_path / "edge"


def here(edge: Path, tmp_path: Path, version: str, age_s: int = 0) -> str:
    """A set that came whole, so many seconds ago."""
    name, _ = promotion.add(other_set(tmp_path / version, version), edge / "models")
    at = folder_of(edge, name).stat().st_mtime - age_s
    os.utime(folder_of(edge, name), (at, at))
    return name


def care_for(edge: Path, wanted: str | None, backend: str = BACKEND) -> ModelCare:
    """As the worker's start makes it."""
    return ModelCare(edge, None, backend, lambda: wanted, client)


def used(edge: Path, name: str) -> ModelCare:
    """An edge that changed over to it."""
    care = care_for(edge, name)
    care.fetcher.current.ready = name
    steps = [care.care(serves_as_wanted=True, deaths=0) for _ in range(2)]
    assert (steps, care.status().in_use) == (["begin", "finish"], name)
    return care


def test_a_refused_set_is_not_used_after_a_restart(edge: Path, tmp_path: Path) -> None:
    """It is whole on the disk, and its network does not run: all cameras would be blind."""
    name = here(edge, tmp_path, "2-a")
    fetcher = Fetcher(client(), edge, BACKEND, wanted=name, try_it=refuses)
    fetcher.turn()
    assert (fetcher.ready, fetcher.trouble) == (None, "its network does not run here")
    again = care_for(edge, name)
    assert (again.status().in_use, again.fetcher.current.ready) == (None, None)


def test_a_restart_goes_on_with_the_one_in_use(edge: Path, tmp_path: Path) -> None:
    """While a new one is on its way, or was given up; not with the shipped one, which nobody wants any more."""
    first = here(edge, tmp_path, "2-a")
    used(edge, first)
    assert care_for(edge, first).status().in_use == first
    assert care_for(edge, "f" * 64).status().in_use == first
    second = here(edge, tmp_path, "3-b")
    care = care_for(edge, second)
    care.fetcher.current.ready = second
    assert [care.care(serves_as_wanted=False, deaths=n * MOST_DEATHS) for n in range(2)] == [
        "begin",
        "give_up",
    ]
    assert care_for(edge, second).status().in_use == first
    assert care_for(edge, first, "another").status().in_use is None, "it was tried with another backend"
    assert care_for(edge, None).status().in_use is None
    assert care_for(edge, second).status().in_use is None, "rolled back to its own: that is in use since"


def test_a_damaged_one_is_not_used(edge: Path, tmp_path: Path) -> None:
    """The edge's own looks until the set is whole again."""
    name = here(edge, tmp_path, "2-a")
    used(edge, name)
    (folder_of(edge, name) / "model.onnx").write_bytes(b"half")
    assert care_for(edge, name).status().in_use is None


def test_what_is_in_use_stays_on_the_disk(edge: Path, tmp_path: Path) -> None:
    """Three sets are refused, one comes: the one in use and the one before are older than all of them."""
    before, in_use = here(edge, tmp_path, "2-a", 500), here(edge, tmp_path, "2-b", 400)
    used(edge, before)
    care = used(edge, in_use)
    fetcher = Fetcher(client(), edge, BACKEND, needed=care._needed, try_it=refuses)
    refused = [here(edge, tmp_path, f"3-{n}", 100 - n) for n in range(3)]
    for name in refused:
        fetcher.wanted = name
        fetcher.turn()
        assert folder_of(edge, name).is_dir(), "the next try needs no line"
    fetcher._try_it = runs
    fetcher.wanted = here(edge, tmp_path, "4-c")
    fetcher.turn()
    left = {folder.name for folder in (edge / "models").iterdir() if folder.is_dir()}
    assert left == {before, in_use, fetcher.wanted}
