"""The published JSON Schemas are those of the code, and real messages keep to them."""

import json
from pathlib import Path

import jsonschema
import pytest

from monitor.domain.edge_config import configuration_of
from monitor.domain.events import CameraState, CameraStatus, Receipt, encode
from monitor.ingest.schemas import main, schemas
from tests.doubles.edge_things import Pinhole, city
from tests.doubles.ingest_messages import NOW, event, evidence, loss, status, watch

SAMPLES = {
    "hcawatch.event-v1.json": event(1, evidence=(evidence(),)),
    "hcawatch.watch-v1.json": watch(1),
    "hcawatch.loss-v1.json": loss(1),
    "hcawatch.status-v1.json": status(cameras={"c": CameraStatus(state=CameraState.DARK, since=NOW)}),
    "hcawatch.config-v1.json": configuration_of(
        city(Pinhole().camera()), "edge-1", number=1, since=NOW, config_version="v"
    ),
    "hcawatch.receipt-v1.json": Receipt(edge_id="e", epoch="p", stored_through=3, ranges=((5, 9),)),
}


def test_the_published_files_are_the_generated_ones(repository: Path, tmp_path: Path) -> None:
    """After a change of a message: python -m monitor.ingest.schemas docs/schemas"""
    assert main([str(tmp_path)]) == 0
    published = {
        path.name: path.read_bytes() for path in (repository / "docs/schemas").glob("hcawatch.*-v*.json")
    }
    assert published == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_message_keeps_to_its_schema(name: str) -> None:
    """With an unknown field too; without its edge it does not."""
    schema, document = json.loads(schemas()[name]), json.loads(encode(SAMPLES[name]))
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate({**document, "a_new_field": 1})
    document.pop("edge_id")
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


def test_usage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a folder."""
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
