"""Dashboards reach a Grafana through its HTTP API. The server is a fake on loopback (tests/doubles)."""

from pathlib import Path

import pytest

from monitor.grafana.dashboards import BOARDS, DATASOURCE_UID, FOLDER_UID
from monitor.grafana.errors import GrafanaRefused, TokenMissing
from monitor.grafana.provision import apply, read_token
from tests.doubles.fake_grafana import FakeGrafana

TOKEN = "glsa_test"
DATABASE = "postgresql://grafana:p%40ss@db.example:5433/hcawatch?sslmode=verify-full"


def test_everything_is_created() -> None:
    """Data source, folder and all dashboards are there; the password only in the secure part."""
    with FakeGrafana(TOKEN) as fake:
        list(apply(fake.url, token=TOKEN, datasource_url=DATABASE))
        assert set(fake.dashboards) == {board.uid for board in BOARDS}
        assert set(fake.folders) == {FOLDER_UID}
        source = fake.datasources[DATASOURCE_UID]
    assert source["secureJsonData"] == {"password": "p@ss"}
    assert (source["url"], source["user"], source["database"]) == ("db.example:5433", "grafana", "hcawatch")
    assert source["jsonData"]["sslmode"] == "verify-full"


def test_applying_twice_changes_nothing_but_versions() -> None:
    """The second time updates in place: the same data source, folder and dashboards, none twice."""
    with FakeGrafana(TOKEN) as fake:
        first = list(apply(fake.url, token=TOKEN, datasource_url=DATABASE))
        second = list(apply(fake.url, token=TOKEN, datasource_url=DATABASE))
        assert len(fake.dashboards) == len(BOARDS)
        assert {board["version"] for board in fake.dashboards.values()} == {2}
    assert any("created" in line for line in first)
    assert not any("created" in line for line in second)


def test_without_a_datasource_the_existing_one_is_left_alone() -> None:
    """Where an administrator made the data source, only folder and dashboards are written."""
    with FakeGrafana(TOKEN) as fake:
        list(apply(fake.url, token=TOKEN))
        assert fake.datasources == {}
        assert len(fake.dashboards) == len(BOARDS)


def test_chinese_dashboards() -> None:
    """`--lang zh` writes Chinese titles under the same uids."""
    with FakeGrafana(TOKEN) as fake:
        list(apply(fake.url, token=TOKEN, language="zh"))
        assert fake.dashboards["hcawatch-control-room"]["title"] == "hcawatch – 监控中心"


def test_wrong_token_is_one_clear_error() -> None:
    """Grafana's refusal is told with its status, without the token."""
    with FakeGrafana(TOKEN) as fake, pytest.raises(GrafanaRefused, match="401") as caught:
        list(apply(fake.url, token="wrong-token"))
    assert "wrong-token" not in str(caught.value)


def test_unreachable_grafana_is_one_clear_error() -> None:
    """Nobody listens there: an error that names the address."""
    with FakeGrafana(TOKEN) as fake:
        url = fake.url
    with pytest.raises(GrafanaRefused, match="can't be reached"):
        list(apply(url, token=TOKEN))


def test_token_comes_from_file_or_environment(tmp_path: Path) -> None:
    """A file goes before the environment; without either the error says where a token may come from."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert read_token({"HCAWATCH_GRAFANA_TOKEN": "from-env"}, file) == "from-file"
    assert read_token({"HCAWATCH_GRAFANA_TOKEN": "from-env"}, None) == "from-env"
    with pytest.raises(TokenMissing, match="HCAWATCH_GRAFANA_TOKEN"):
        read_token({}, None)


@pytest.mark.parametrize("url", ["mysql://db/x", "postgresql:///x"])
def test_datasource_address_is_checked(url: str) -> None:
    """Another database's address is refused before anything is sent."""
    with FakeGrafana(TOKEN) as fake:
        with pytest.raises(GrafanaRefused, match="postgresql://"):
            list(apply(fake.url, token=TOKEN, datasource_url=url))
        assert fake.requests == []
