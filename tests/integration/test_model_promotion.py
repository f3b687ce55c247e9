"""A detector from a folder to the edge: promoted, fetched by its hash, tried, changed over; refused if tampered with."""

import copy
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from starlette.testclient import TestClient
from typer.testing import CliRunner

from edge.model_fetch import Fetcher, FetchFailed, complete, folder_of
from hcawatch import promotion
from hcawatch.cli import app
from hcawatch.config import versions
from models import registry
from monitor.audit.entries import read
from tests.doubles.feedback_town import DOCUMENT, FeedbackTown, feedback_town
from tests.doubles.web_town import EDGE_TOKENS

#: a field of protobuf that nobody knows: another file with the same network in it
NOTHING = b"\xc2\x3e\x00"


def other_set(folder: Path, version: str = "2-test") -> Path:
    """The shipped network with another name's hash."""
    shutil.copytree(registry.find(None), folder)
    card = registry.read_card(folder)
    weights = (folder / "model.onnx").read_bytes() + NOTHING
    (folder / "model.onnx").write_bytes(weights)
    text = (folder / "card.yaml").read_text()
    text = text.replace(card.sha256, hashlib.sha256(weights).hexdigest())
    text = text.replace(f"version: {card.version}", f"version: {version}").replace(
        f'version: "{card.version}"', f'version: "{version}"'
    )
    (folder / "card.yaml").write_text(text)
    assert registry.read_card(folder).version == version
    return folder


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[FeedbackTown]:
    with feedback_town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(here: FeedbackTown) -> Iterator[httpx.Client]:
    with TestClient(here.app(), headers={"authorization": f"Bearer {EDGE_TOKENS['e1']}"}) as one:
        yield one


def promoted(here: FeedbackTown, folder: Path, **more: object) -> str:
    name, manifest = promotion.add(folder, here.here.data_dir / "models", **more)  # type: ignore[arg-type]
    with versions.connect(here.dsn) as conn:
        promotion.write(conn, here.path, {"e1": name}, step="promoted", author="ann", reason="fewer cows", now=here.now,
                        more={"model": name, "name": manifest.name})  # fmt: skip
    return name


def test_promoted_told_fetched_tried_and_rolled_back(
    here: FeedbackTown, client: httpx.Client, tmp_path: Path
) -> None:
    """The edge's configuration names it, the edge has it whole and it runs; the way back is what was before."""
    name = promoted(here, other_set(tmp_path / "candidate"))
    assert here.told().model == name
    edge = tmp_path / "edge"
    fetcher = Fetcher(client, edge, "onnxruntime", wanted=here.told().model)
    fetcher.turn()
    assert (fetcher.ready, fetcher.trouble) == (name, "")
    manifest = complete(folder_of(edge, name), name)
    assert manifest is not None
    assert manifest.version == registry.read_card(folder_of(edge, name)).version == "2-test"
    with versions.connect(here.dsn) as conn:
        assert promotion.before(conn, ["e1"]) == {"e1": None}
        promotion.write(
            conn,
            here.path,
            {"e1": None},
            step="rolled_back",
            author="ann",
            reason="misses",
            now=here.now,
            more={},
        )
        bodies = [
            bytes(row["body"])
            for row in conn.execute(
                "SELECT body FROM audit_entry WHERE kind LIKE 'model.%' ORDER BY entry_id"
            )
        ]
        with pytest.raises(promotion.PromotionError, match="rolled back already"):
            promotion.before(conn, ["e1"])
    assert here.told().model is None
    assert [(read(body).kind, read(body).actor, read(body).body["reason"]) for body in bodies] == [
        ("model.promoted", "ann", "fewer cows"), ("model.rolled_back", "ann", "misses"),
    ]  # fmt: skip


def rolled_back(here: FeedbackTown, edges: list[str]) -> dict[str, str | None]:
    """What `hcawatch models rollback` does."""
    with versions.connect(here.dsn) as conn:
        models = promotion.before(conn, edges)
        promotion.write(conn, here.path, models, step="rolled_back", author="ann", reason="misses", now=here.now,
                        more={})  # fmt: skip
    return models


def test_a_second_rollback_goes_further_back_and_never_to_what_was_rolled_back(
    postgres_dsn: str, tmp_path: Path
) -> None:
    """A second person rolls back too, or `--all` meets an edge that is back already: the bad one stays away."""
    document = copy.deepcopy(DOCUMENT)
    document["edges"].append({"id": "e2", "name": "Edge two"})
    good, bad = "a" * 64, "b" * 64
    with feedback_town(postgres_dsn, tmp_path, document=document) as here, versions.connect(here.dsn) as conn:
        for models in ({"e1": good, "e2": bad}, {"e1": bad}):
            promotion.write(conn, here.path, models, step="promoted", author="ann", reason="r", now=here.now,
                            more={})  # fmt: skip
        assert rolled_back(here, ["e1"]) == {"e1": good}
        assert rolled_back(here, ["e1", "e2"]) == {"e1": None, "e2": None}
        promotion.write(
            conn, here.path, {"e2": good}, step="promoted", author="ann", reason="r", now=here.now, more={}
        )
        command = ["models", "rollback", "--all", "--reason", "misses", "--database", here.dsn]
        said = CliRunner().invoke(app, command)
        assert said.exit_code == 0, said.output
        assert "e2: the shipped one" in said.output
        assert "e1: nothing to roll back to, left as it is" in said.output
        with pytest.raises(promotion.PromotionError, match="rolled back already"):
            rolled_back(here, ["e1", "e2"])


def quiet(_folder: Path, _backend: str) -> None:
    """Not run: what is tested is what comes before."""


def test_what_was_tampered_with_is_refused_and_the_next_try_may_mend_it(
    here: FeedbackTown, client: httpx.Client, tmp_path: Path
) -> None:
    """In the folder, in the centre's store, or on the way: nothing of it stays on the edge, and it says why."""
    candidate = other_set(tmp_path / "candidate")
    name = promoted(here, candidate)
    store = here.here.data_dir / "models" / name
    clock = [0.0]
    fetcher = Fetcher(
        client, tmp_path / "edge", "onnxruntime", wanted=name, try_it=quiet, monotonic=lambda: clock[0]
    )
    for file in ("model.onnx", "manifest.json"):
        good = (store / file).read_bytes()
        (store / file).write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
        clock[0] += 1000.0
        fetcher.turn()
        assert fetcher.ready is None
        assert fetcher.trouble
        assert list((tmp_path / "edge" / "models").glob("*")) == []
        (store / file).write_bytes(good)
    fetcher.turn()
    assert fetcher.ready is None  # not before its time
    clock[0] += 1000.0
    fetcher.turn()
    assert (fetcher.ready, fetcher.trouble) == (name, "")
    (candidate / "model.onnx").write_bytes(b"something else")
    with pytest.raises(promotion.PromotionError, match="not the ones of its card"):
        promotion.add(candidate, here.here.data_dir / "models")


def test_an_edge_that_cannot_fetch_says_so_and_asks_less_and_less(
    here: FeedbackTown, client: httpx.Client, tmp_path: Path
) -> None:
    """Another edge's configuration, a centre that lost it, a network that does not run here."""
    clock, tries = [0.0], []

    def breaks(_folder: Path, _backend: str) -> None:
        tries.append(clock[0])
        raise FetchFailed("it did not look")

    fetcher = Fetcher(
        client, tmp_path / "edge", "onnxruntime", wanted="c" * 64, try_it=breaks, monotonic=lambda: clock[0]
    )
    fetcher.turn()
    assert "404" in fetcher.trouble
    fetcher.wanted = promoted(here, other_set(tmp_path / "candidate"))
    for _ in range(200):
        clock[0] += 1.0
        fetcher.turn()
    assert (fetcher.ready, fetcher.trouble) == (None, "it did not look")
    assert len(tries) == 6  # after 5, 10, 20 … seconds
    fetcher.wanted = None
    fetcher.turn()
    assert fetcher.trouble == ""


def test_only_an_edge_gets_it_and_only_what_the_manifest_names(
    here: FeedbackTown, client: httpx.Client, tmp_path: Path
) -> None:
    """No other file of the folder, and nothing above it."""
    name = promoted(here, other_set(tmp_path / "candidate"))
    (here.here.data_dir / "models" / name / "comparison.json").write_text("{}")
    assert client.get(f"/api/v1/models/{name}").status_code == 200
    assert client.get(f"/api/v1/models/{name}", headers={"authorization": "Bearer nobody"}).status_code == 401
    for path in ("comparison.json", "..%2fmanifest.json", "manifest.json"):
        assert client.get(f"/api/v1/models/{name}/files/{path}").status_code in (404, 422), path


def test_a_comparison_of_another_candidate_and_a_silenced_class_are_refused(
    here: FeedbackTown, tmp_path: Path
) -> None:
    """What was measured is what is promoted; rules lose no class unnoticed."""
    candidate = other_set(tmp_path / "candidate")
    said = tmp_path / "verdict.json"
    said.write_text(json.dumps({"verdict": "better", "new": {"name": "x", "sha256": "0" * 64}}))
    with pytest.raises(promotion.PromotionError, match="another candidate"):
        promotion.add(candidate, here.here.data_dir / "models", said)
    said.write_text(
        json.dumps(
            {"verdict": "better", "new": {"name": "x", "sha256": registry.read_card(candidate).sha256}}
        )
    )
    name, _ = promotion.add(candidate, here.here.data_dir / "models", said)
    assert (
        json.loads((here.here.data_dir / "models" / name / "comparison.json").read_text())["verdict"]
        == "better"
    )
    shipped = frozenset({"excavator", "person"})
    assert promotion.silenced(shipped, frozenset({"person"}), ("person", "excavator")) == ["excavator"]
    assert promotion.silenced(shipped, shipped, ("person", "excavator")) == []
    document = {"edges": [{"id": "e1"}, {"id": "e2"}], "cameras": [{"edge": "e2", "site": "s1"}]}
    assert promotion.edges_of(document, (), ("s1",), every=False) == ("e2",)
    assert promotion.edges_of(document, (), (), every=True) == ("e1", "e2")
    for edges, sites, every in (
        ((), (), False),
        (("e1",), (), True),
        (("e9",), (), False),
        ((), ("s9",), False),
    ):
        with pytest.raises(promotion.PromotionError):
            promotion.edges_of(document, edges, sites, every=every)


def test_what_rules_would_lose_is_asked_of_what_the_edge_uses(here: FeedbackTown, tmp_path: Path) -> None:
    """The set in use tells of more than the shipped one: its successor silences that, and is refused by the edge's name."""
    data = tmp_path / "installation"
    store = data / "centre" / "models"
    wider = other_set(tmp_path / "wider")
    classes = registry.read_card(wider).classes
    ship(wider, classes)
    command = ["models", "promote", str(tmp_path / "next"), "--edge", "e1", "--reason", "fewer cows",
               "--data-dir", str(data), "--database", here.dsn]  # fmt: skip
    in_use, _ = promotion.add(wider, store)
    with versions.connect(here.dsn) as conn:
        promotion.write(
            conn, here.path, {"e1": in_use}, step="promoted", author="ann", reason="r", now=here.now, more={}
        )
    candidate = other_set(tmp_path / "next", "3-test")
    shipped = registry.read_card(candidate).shipping.shipped
    assert shipped is not None
    lost = promotion.silenced(frozenset(classes), frozenset(shipped), classes)
    assert lost
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code != 0
    assert f"e1: {', '.join(lost)}" in str(refused.exception)
    (store / in_use / "card.yaml").unlink()
    unknown = CliRunner().invoke(app, command)
    assert "e1: nobody knows" in str(unknown.exception)
    assert here.told().model == in_use
    meant = CliRunner().invoke(app, [*command, "--may-silence"])
    assert meant.exit_code == 0, meant.output
    assert here.told().model != in_use


def ship(folder: Path, classes: tuple[str, ...]) -> None:
    """Let its card ship these."""
    document = yaml.safe_load((folder / "card.yaml").read_text())
    document["shipped"], document["measured"] = list(classes), {}
    (folder / "card.yaml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))


def test_promoting_again_mends_a_damaged_store(tmp_path: Path) -> None:
    """As the page about feedback says: edges refuse the damaged file, and promoting again is the help."""
    candidate, store = other_set(tmp_path / "candidate"), tmp_path / "store"
    name, manifest = promotion.add(candidate, store)
    (store / name / "comparison.json").write_text("{}")
    for damage in ("model.onnx", "manifest.json"):
        (store / name / damage).write_bytes(b"x")
        assert complete(store / name, name) is None
        assert promotion.add(candidate, store) == (name, manifest)
        assert complete(store / name, name) == manifest
    assert (store / name / "comparison.json").read_text() == "{}", "what was measured stays"
    assert [folder.name for folder in store.iterdir()] == [name]
