"""What a file without errors becomes: city, settings, a hash, and YAML again."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import yaml

from hcawatch.config import check, load
from hcawatch.config.credentials import CredentialsRefused, read_credentials
from hcawatch.config.differences import differences
from hcawatch.config.example import example_text, json_schema
from hcawatch.config.write import to_yaml
from monitor.domain.levels import HcaGrade
from monitor.domain.risk import Weights

BASE = Path(__file__).parent / "base.yaml"
ENV = {"TEST_DATABASE_URL": "postgresql://u:hunter2@db/hcawatch"}
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_city_of_the_base() -> None:
    """Ids, names, grades, points and zones arrive in the values that the parts work with."""
    city = load(BASE, env=ENV, now=NOW).city
    camera = city.camera("gate")
    assert city.name == {"en": "Example", "zh": "Example"}
    assert (camera.edge_id, camera.site_id, camera.frame_size_px) == ("edge-1", "hca-01", (1920, 1080))
    assert camera.ground_points[0].pixel == (312.0, 540.0)
    assert camera.zones[0].kind == "valve"
    assert city.hca("hca-01").grade is HcaGrade.III
    assert city.pipeline("gas-1").centreline[1] == (121.65, 29.92)
    assert [member.user for member in city.teams[0].members] == ["zhang-wei", "li-na"]


def test_settings_of_the_base() -> None:
    """Secrets are fetched but not shown; overrides join the shipped weights; plain times are the city's."""
    config = load(BASE, env=ENV, now=NOW)
    settings = config.settings
    assert settings.database_url == ENV["TEST_DATABASE_URL"]
    assert "hunter2" not in repr(config)
    assert settings.weights.night == 10
    assert settings.weights.hca == Weights().hca
    assert settings.permits[0].valid_from == datetime(2026, 11, 1, 7, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert settings.data_dir == BASE.parent / "data"


def test_calibration_is_named_by_its_points(tmp_path: Path) -> None:
    """The same survey has the same version, another point another one."""
    first = load(BASE, env=ENV, now=NOW).city.camera("gate").calibration_version
    other = tmp_path / "city.yaml"
    other.write_text(BASE.read_text().replace("[312, 540]", "[313, 540]"))
    assert first != load(other, env=ENV, now=NOW).city.camera("gate").calibration_version
    assert first == load(BASE, env=ENV, now=NOW).city.camera("gate").calibration_version


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file source means the same wherever the command is started."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"")
    (tmp_path / "city.yaml").write_text(
        BASE.read_text().replace("rtsp://10.20.1.11:554/stream1", "clips/a.mp4")
    )
    monkeypatch.chdir("/")
    assert load(tmp_path / "city.yaml", env=ENV, now=NOW).city.camera("gate").source == str(
        tmp_path / "clips/a.mp4"
    )
    (tmp_path / "city.yaml").write_text(
        BASE.read_text().replace("rtsp://10.20.1.11:554/stream1", "stills:clips")
    )
    assert (
        load(tmp_path / "city.yaml", env=ENV, now=NOW).city.camera("gate").source
        == f"stills:{tmp_path}/clips"
    )


def test_comments_and_order_do_not_change_the_version(tmp_path: Path) -> None:
    """Only what is said counts for the hash."""
    document = yaml.safe_load(BASE.read_text())
    turned = tmp_path / "city.yaml"
    turned.write_text("# other\n" + yaml.safe_dump(dict(reversed(document.items())), sort_keys=False))
    assert load(turned, env=ENV, now=NOW).sha256 == load(BASE, env=ENV, now=NOW).sha256


@pytest.mark.parametrize("name", ["base.yaml", "example", "city.yaml", "minimal.yaml"])
def test_written_yaml_gives_the_same_document(name: str, tmp_path: Path, repository: Path) -> None:
    """Export and apply round-trip: not one value changes."""
    text = {
        "base.yaml": BASE.read_text,
        "example": example_text,
        "city.yaml": (repository / "examples" / "city.yaml").read_text,
        "minimal.yaml": (repository / "examples" / "minimal.yaml").read_text,
    }[name]()
    first_file, second_file = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first_file.write_text(text)
    _put_sources(tmp_path, repository)
    first = load(first_file, env=ENV, now=NOW)
    second_file.write_text(to_yaml(json.loads(json.dumps(first.document)), head="again"))
    second = load(second_file, env=ENV, now=NOW)
    assert list(differences(first.document, second.document)) == []
    assert second.sha256 == first.sha256
    assert second.city == first.city


def _put_sources(folder: Path, repository: Path) -> None:
    """Files that examples name beside themselves."""
    for camera in yaml.safe_load((repository / "examples" / "city.yaml").read_text())["cameras"]:
        if "://" not in camera["source"] and ":" not in camera["source"]:
            (folder / camera["source"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / camera["source"]).touch()


def test_example_has_no_faults(tmp_path: Path) -> None:
    """The example that people start from is right, and shows every section."""
    path = tmp_path / "my.yaml"
    path.write_text(example_text())
    assert check(path, env={}, now=NOW).faults == ()
    assert set(yaml.safe_load(example_text())) == {
        "version", "city", "pipelines", "hcas", "edges", "cameras", "teams", "permits", "schedules", "centre"
    }  # fmt: skip


def test_minimal_example_is_short_and_right(repository: Path) -> None:
    """One pipeline, one HCA, one edge, one camera, one team fit on a screen."""
    path = repository / "examples" / "minimal.yaml"
    assert len(path.read_text().splitlines()) <= 30
    assert check(path, env={}, now=NOW).faults == ()


def test_city_has_29_hcas_on_two_pipelines(repository: Path) -> None:
    """The made-up city says that it is made up, has its 29 HCAs, and no faults."""
    report = check(repository / "examples" / "city.yaml", env={}, now=NOW)
    assert report.faults == ()
    assert report.config is not None
    city = report.config.city
    assert city.made_up
    assert len(city.hcas) == 29
    assert {pipeline.medium for pipeline in city.pipelines} == {"gas", "oil"}
    assert len(city.pipelines) == 2
    assert len(city.teams) == 3
    assert all(set(hca.name) == {"en", "zh"} and hca.name["en"] != hca.name["zh"] for hca in city.hcas)
    assert {hca.grade for hca in city.hcas} == set(HcaGrade)


def test_schema_in_docs_is_the_one_that_is_printed(repository: Path) -> None:
    """Editors check against what the program takes."""
    committed = (repository / "docs" / "schemas" / "hcawatch-config.schema.json").read_text()
    assert committed == json_schema()


@pytest.mark.parametrize("name", ["city.yaml", "minimal.yaml"])
def test_schema_takes_the_examples(name: str, repository: Path) -> None:
    """The JSON Schema agrees with the models on right files, and the files name it for editors."""
    text = (repository / "examples" / name).read_text()
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(text), default=str)), schema)
    assert text.startswith("# yaml-language-server: $schema=../docs/schemas/hcawatch-config.schema.json\n")


def test_differences_name_entries_by_their_id() -> None:
    """A change is said at the entry's id, not at its place in the list."""
    before = {"cameras": [{"id": "a", "min_score": 0.4}, {"id": "b", "min_score": 0.4}]}
    after = {"cameras": [{"id": "b", "min_score": 0.5}, {"id": "c", "min_score": 0.4}]}
    assert [str(change) for change in differences(before, after)] == [
        "- cameras[a]: {'id': 'a', 'min_score': 0.4}",
        "~ cameras[b].min_score: 0.4 → 0.5",
        "+ cameras[c]: {'id': 'c', 'min_score': 0.4}",
    ]


def test_credentials_are_read_from_a_closed_file_only(tmp_path: Path) -> None:
    """A file that others can read is refused; a broken line is named without its content."""
    path = tmp_path / "cameras.secret"
    path.write_text("# gates\ngate-cameras: admin:hunter:2\n")
    path.chmod(0o644)
    with pytest.raises(CredentialsRefused, match="chmod 600"):
        read_credentials(path)
    path.chmod(0o600)
    assert read_credentials(path) == {"gate-cameras": "admin:hunter:2"}
    path.write_text("gate-cameras admin hunter2\n")
    with pytest.raises(CredentialsRefused, match=r":1: not") as caught:
        read_credentials(path)
    assert "hunter2" not in str(caught.value)
