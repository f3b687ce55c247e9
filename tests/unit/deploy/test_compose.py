"""The production files agree with the program: no default secret, the same ACL, data source and paths."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.grafana.dashboards import BOARDS, DATASOURCE_TYPE, DATASOURCE_UID, FOLDER_UID
from monitor.ingest.broker_files import mosquitto_acl


@pytest.fixture
def compose(repository: Path) -> dict[str, Any]:
    """docker-compose.yml as data."""
    found = yaml.safe_load((repository / "docker-compose.yml").read_text())
    assert isinstance(found, dict)
    return found


def test_no_secret_has_a_default(repository: Path) -> None:
    """A variable whose name speaks of a secret must be set by hand: ${NAME:?…}."""
    for text in re.findall(r"\$\{([^}]*)\}", (repository / "docker-compose.yml").read_text()):
        name = re.match(r"[A-Z_]+", text)
        assert name is not None
        if re.search("PASSWORD|TOKEN|SECRET_KEY", name.group()):
            assert text.startswith(name.group() + ":?")


def test_compose_1_29_takes_it(compose: dict[str, Any]) -> None:
    """Debian's docker-compose refuses a name at the top, and our extensions begin with x-."""
    known = {"services", "networks", "volumes"}
    assert all(key in known or key.startswith("x-") for key in compose)


def test_acl_is_the_one_that_tests_run_with(repository: Path) -> None:
    """The broker of production lets edges say and hear what the embedded one does."""
    assert (repository / "deploy" / "mosquitto" / "acl").read_text() == mosquitto_acl("centre")


def test_images_run_as_a_plain_user_from_the_lock_file(repository: Path) -> None:
    """Both images are on slim bookworm, set up from the lock file, and not root."""
    for part in ("centre", "edge"):
        text = (repository / "deploy" / f"Dockerfile.{part}").read_text()
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:3.11-slim-bookworm"}
        assert "deploy/setup/setup.py" in text
        assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["hcawatch"]


def test_every_mounted_file_is_there(compose: dict[str, Any], repository: Path) -> None:
    """What is mounted out of the repository exists."""
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./") and "${" not in volume:
                assert (repository / source).exists(), source


def test_grafana_is_provisioned_with_the_same_ids(repository: Path) -> None:
    """The data source that dashboards ask is the one that is provisioned, without a password in the file."""
    folder = repository / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "hcawatch.yaml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == (DATASOURCE_UID, DATASOURCE_TYPE)
    assert source["secureJsonData"]["password"].startswith("$")
    (provider,) = yaml.safe_load((folder / "dashboards" / "hcawatch.yaml").read_text())["providers"]
    assert provider["folderUid"] == FOLDER_UID
    assert len(list((repository / "deploy" / "grafana" / "dashboards").glob("*.json"))) == len(BOARDS)
