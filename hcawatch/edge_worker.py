"""`hcawatch edge`: one edge worker, from the configuration and the runtime to `edge.worker`."""

import os
from pathlib import Path

from edge.worker import EdgeSettings
from edge.worker import run as run_worker
from hcawatch.config import LoadedConfig
from hcawatch.runtime import Runtime, from_environment
from monitor.domain.events import sha256_hex
from monitor.logs import set_up_logs


def run(loaded: LoadedConfig, edge_id: str, runtime_file: Path | None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status."""
    set_up_logs()
    if runtime_file is not None:
        runtime = Runtime.load(runtime_file)
    else:
        runtime = from_environment({**os.environ, "HCAWATCH_EDGE_ID": edge_id})
    mqtt = runtime.mqtt[edge_id]
    detector = loaded.settings.detectors[edge_id]
    return run_worker(
        loaded.city,
        edge_id,
        EdgeSettings(
            data_dir=Path(runtime.data_dir) / "edges" / edge_id,
            mqtt_host=mqtt.host, mqtt_port=mqtt.port, mqtt_user=mqtt.user, mqtt_password=mqtt.password,
            mqtt_tls_ca=mqtt.tls_ca, centre_url=runtime.centre_url, edge_token=runtime.edge_tokens[edge_id],
            credentials=runtime.credentials, config_version=loaded.version,
            config_dir=loaded.path.absolute().parent, file_sha256=sha256_hex(loaded.path.read_bytes()),
            files_live_since_s=runtime.files_live_since_s,
            backend=detector.backend, providers=detector.providers,
            disk_share=loaded.settings.disk_shares[edge_id],
        ),
    )  # fmt: skip
