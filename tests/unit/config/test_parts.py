"""Each process needs only its own secrets and files to read the one configuration."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hcawatch.config import ConfigFaulty, load
from hcawatch.runtime import RuntimeIncomplete, from_environment

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BASE = (Path(__file__).parent / "base.yaml").read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose database address comes from the environment, with a camera that plays a file of edge-1."""
    path = tmp_path / "city.yaml"
    path.write_text(BASE.replace("rtsp://10.20.1.11:554/stream1", "clips/a.mp4"))
    return path


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("all", {"env_not_set", "source_missing"}),
        ("centre", {"env_not_set"}),
        ("edge:edge-1", {"source_missing"}),
        ("edge:edge-2", set()),
        ("nobody", set()),
    ],
)
def test_what_each_part_needs(part: str, missing: set[str], path: Path) -> None:
    """An edge needs no database address, and the centre no edge's footage."""
    found = set()
    try:
        config = load(path, env={}, now=NOW, part=part)
        assert config.settings.database_url is None
    except ConfigFaulty as exc:
        found = {fault.code for fault in exc.faults}
    assert found == missing


def test_the_hash_is_the_same_for_all_parts(path: Path, tmp_path: Path) -> None:
    """Edge and centre name the same version."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").touch()
    env = {"TEST_DATABASE_URL": "postgresql://db/x"}
    assert len({load(path, env=env, now=NOW, part=part).sha256 for part in ("all", "centre", "nobody")}) == 1


def test_an_edge_takes_its_secrets_from_files(tmp_path: Path) -> None:
    """Token, password and cameras' credentials of a production edge come from files."""
    (tmp_path / "token").write_text("t0\n")
    cameras = tmp_path / "cameras"
    cameras.write_text("gate: admin:pw\n")
    cameras.chmod(0o600)
    env = {
        "HCAWATCH_EDGE_ID": "edge-1", "HCAWATCH_EDGE_TOKEN_FILE": str(tmp_path / "token"),
        "HCAWATCH_MQTT_HOST": "broker", "HCAWATCH_MQTT_PASSWORD": "p", "HCAWATCH_CENTRE_URL": "https://c",
        "HCAWATCH_CREDENTIALS_FILE": str(cameras),
    }  # fmt: skip
    runtime = from_environment(env)
    assert runtime.edge_tokens == {"edge-1": "t0"}
    assert runtime.credentials == {"gate": "admin:pw"}
    assert runtime.mqtt["edge-1"].user == "edge-1"
    cameras.chmod(0o644)
    with pytest.raises(RuntimeIncomplete, match="chmod 600"):
        from_environment(env)
