"""A smart camera publishes over a real broker, as ONVIF's events over MQTT have it: alert, end, and dead letter."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import paho.mqtt.client as paho

from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from monitor.domain.assets import Device, DeviceAlarm
from monitor.ingest.embedded_broker import CENTRE, EmbeddedBroker
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.pool import make_pool
from tests.doubles.alert_story import CITY

#: the tests' broker has accounts of this form; a camera's account has the camera's id
CAMERA = "edge-21"
FENCE = "RuleEngine/FieldDetector/ObjectsInside"
PLACE = f"hcawatch/v1/device/{CAMERA}/onvif-ej"
DEVICES = (Device(camera_id=CAMERA, alarms=(DeviceAlarm(topic=FENCE, violation="on_pipe"),)),)
TOWN = msgspec.structs.replace(
    CITY, cameras=(*CITY.cameras, msgspec.structs.replace(CITY.cameras[0], camera_id=CAMERA)), devices=DEVICES
)


def eventually(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "did not become true in time"
        time.sleep(0.05)


def event(inside: str) -> bytes:
    return msgspec.json.encode(
        {"UtcTime": datetime.now(UTC).isoformat(), "PropertyOperation": "Changed", "Source": {"Rule": "Fence"},
         "Data": {"IsInside": inside}}
    )  # fmt: skip


def test_a_cameras_alarm_over_the_broker(broker: EmbeddedBroker, postgres_dsn: str) -> None:
    """MQTT 3.1.1, as cameras speak it; what the configuration does not map is kept and told."""
    mqtt = MqttSettings(
        host=broker.host, port=broker.port, user=CENTRE, password=broker.passwords[CENTRE], client_id="devices"
    )  # fmt: skip
    with (
        make_pool(postgres_dsn, "test", min_size=1, max_size=4) as pool,
        IngestWorker(PostgresIngestStore(pool), mqtt, devices=DEVICES) as worker,
    ):
        assert worker.wait_connected(20)
        engine = AlertEngine(PostgresAlertBook(pool), TOWN)
        # paho's own thread needs no attention; a camera that speaks MQTT 5 is the edge's case
        protocol = paho.MQTTv5 if broker.kind == "iotcore" else paho.MQTTv311
        camera = paho.Client(paho.CallbackAPIVersion.VERSION2, CAMERA, protocol=protocol)
        camera.username_pw_set(CAMERA, broker.passwords[CAMERA])
        camera.connect(broker.host, broker.port)
        camera.loop_start()

        def alerts() -> dict[str, int]:
            engine.take_work(datetime.now(UTC))
            return {
                row.alert.health or row.alert.violation or "": row.alert.number
                for row in engine.list_alerts()
            }

        camera.publish(f"{PLACE}/{FENCE}/&Fence", event("true"), qos=1).wait_for_publish(20)
        eventually(lambda: "on_pipe" in alerts())
        (row,) = engine.list_alerts()
        assert (row.alert.source, row.alert.camera_id, row.alert.site_id) == ("device", CAMERA, "s1")
        camera.publish(f"{PLACE}/{FENCE}/&Fence", event("false"), qos=1).wait_for_publish(20)

        def ended() -> bool:
            engine.take_work(datetime.now(UTC))
            return engine.view(row.alert.alert_id).alert.condition_ended_at is not None

        eventually(ended)
        camera.publish(f"{PLACE}/VideoSource/MotionAlarm", event("true"), qos=1).wait_for_publish(20)
        eventually(lambda: "dead_letter" in alerts())
        with pool.connection() as conn:
            letters = conn.execute("SELECT topic, reason FROM dead_letter").fetchall()
        assert [(one["topic"], one["reason"].split(":")[0]) for one in letters] == [
            (f"{PLACE}/VideoSource/MotionAlarm", "unmapped_event")
        ]
        camera.disconnect()
        camera.loop_stop()
