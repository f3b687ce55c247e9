"""Where a suspicion comes from: an edge's camera, a person's report, or a device's own alarm. Pure.

The loop is the same for all; what differs stands here and in the grade. A person or a device says that something
is so, and says it once: there is no probability of a band and no episode that runs on, and their place is less
exact than a camera's, hence it never moves a place that a camera measured.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from alerts.reasons import Why
from alerts.values import SYSTEM, Actor, Alert, Confirmation
from monitor.domain.events import RiskEvent
from monitor.domain.risk import Reason

Source = Literal["edge", "report", "device"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who says so, and what that means for the alert."""

    source: Source = "edge"
    actor: Actor = SYSTEM
    #: said by somebody of the loop who stands there: no operator has to confirm it
    confirmed: bool = False
    #: entered by the control room, which hence knows of it
    acknowledged: bool = False
    #: it is said once, and nothing will tell its end
    momentary: bool = False
    #: what is said of the machine's doing; '' says nothing
    activity: str | None = None
    #: whether the place that is said lies within the article's distance; None: no distance is said
    within: bool | None = None
    #: further reasons of the grade, without points
    remarks: tuple[Reason, ...] = ()

    @property
    def confirmed_why(self) -> Why:
        """Why an officer is sent where the case is confirmed by now."""
        return Why.SEEN_ON_SITE if self.confirmed else Why.CONFIRMED


EDGE = Origin()


def opened_by(origin: Origin, alert: Alert, now: datetime) -> Alert:
    """A new alert as its origin says it; an edge's is left as it is."""
    if origin.source == "edge":
        return alert
    return msgspec.structs.replace(
        alert,
        source=origin.source,
        camera_id=alert.camera_id or None,
        object_class=alert.object_class or None,
        activity=origin.activity or None,
        confirmation=Confirmation.CONFIRMED if origin.confirmed else alert.confirmation,
        acknowledged_at=now if origin.acknowledged else alert.acknowledged_at,
    )


def seen_by(origin: Origin, alert: Alert, event: RiskEvent, as_camera: Alert) -> Alert:
    """The alert after one more look; `as_camera` is what it would be had a camera looked."""
    if origin.source == "edge":
        return as_camera
    kept: dict[str, Any] = {}
    if alert.place is not None:
        kept = {name: getattr(alert, name) for name in _PLACE}
    return msgspec.structs.replace(as_camera, **kept, activity=origin.activity or alert.activity)


def said_of_case(origin: Origin, alert: Alert, confirmation: Confirmation, now: datetime) -> dict[str, Any]:
    """The fields of a running case that a joining look sets; `confirmation` is what it would be had a camera looked."""
    confirms = origin.confirmed and alert.closed_at is None
    return {
        "confirmation": Confirmation.CONFIRMED if confirms else confirmation,
        "acknowledged_at": alert.acknowledged_at or (now if origin.acknowledged else None),
    }


_PLACE = ("lon", "lat", "accuracy_m", "pipeline_id", "chainage_m", "offset_m")
