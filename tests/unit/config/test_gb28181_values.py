"""From the file to the door: which camera an alarm is of, and passwords that can or cannot be had."""

from __future__ import annotations

from pathlib import Path

from hcawatch.config import load
from hcawatch.config.gb28181 import gb_passwords

SECTION = """gb28181:
  gb_id: 34020000002000000001
  networks: [10.30.0.0/16]
  devices:
    - gb_id: '34020000001180000001'
      password_file: recorder
      cameras: [gate]
      channels: [{gb_id: '34020000001340000001', camera: gate}]
    - {gb_id: '34020000001320000009', password_env: GB_PASSWORD, digest: sha-256, cameras: [gate]}
"""


def test_what_the_file_says_is_what_the_door_knows(tmp_path: Path) -> None:
    """The camera's own id, its alarm input, and a device that brings one camera names it by itself."""
    base = (Path(__file__).parent / "base.yaml").read_text()
    text = base.replace("risk: {", SECTION + "risk: {").replace(
        "    edge: edge-1\n", "    edge: edge-1\n    gb_id: '34020000001310000007'\n"
    )
    file = tmp_path / "hcawatch.yaml"
    file.write_text(text)
    (tmp_path / "recorder").write_text("s3cret\n")
    (tmp_path / "recorder").chmod(0o600)
    loaded = load(file, env={"TEST_DATABASE_URL": "postgresql://x", "GB_PASSWORD": "other"})
    centre = loaded.city.gb28181
    assert centre is not None
    assert (centre.gb_id, centre.realm, centre.port, centre.timezone, centre.silent_after_s) == (
        "34020000002000000001", "3402000000", 5060, "Asia/Shanghai", 180.0,
    )  # fmt: skip
    recorder, modern = centre.devices
    own = "34020000001310000007"
    assert recorder.brings == {own: "gate", "34020000001340000001": "gate", recorder.gb_id: "gate"}
    assert (modern.digest, modern.brings) == ("SHA-256", {own: "gate", modern.gb_id: "gate"})
    assert loaded.city.camera("gate").gb_id == own
    assert "s3cret" not in repr(loaded)
    given = gb_passwords(loaded.document, tmp_path, {"GB_PASSWORD": "other"})
    assert given == {recorder.gb_id: "s3cret", modern.gb_id: "other"}
    assert gb_passwords(loaded.document, tmp_path / "gone", {}) == {}
