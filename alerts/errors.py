"""What can go wrong with an alert. IllegalStep and NotAllowed stand beside the table in lifecycle.py."""


class AlertsError(Exception):
    """Base of all errors of this package."""


class NotFound(AlertsError):
    """There is no alert of that id."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"no alert {alert_id}: check the id or the link")
        self.alert_id = alert_id


class Conflict(AlertsError):
    """Somebody else changed the same alert, episode or dispatch first. Retryable: decide again."""


class Unusable(AlertsError):
    """The database refuses the values themselves; trying again cannot help."""
