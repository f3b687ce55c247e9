"""What can go wrong with dashboards: one base, and a class for each thing a caller can act on."""


class GrafanaError(Exception):
    """Something about the dashboards failed; subclasses say what."""


class UnknownMacro(GrafanaError):
    """A query uses a macro that Grafana's PostgreSQL data source has not, or that we don't expand."""


class TokenMissing(GrafanaError):
    """No token for Grafana's API was given. Final; the message says where it may come from."""


class GrafanaRefused(GrafanaError):
    """Grafana can't be reached or answered with an error; carries what was asked for."""


class PanelBroken(GrafanaError):
    """A panel's query fails on this database, or gives other columns than the panel expects."""
