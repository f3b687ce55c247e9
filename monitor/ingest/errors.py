"""What can go wrong in ingest. A bad message is no error: it is judged and kept as a dead letter."""


class IngestError(Exception):
    """Base of what monitor.ingest raises."""


class PublishError(IngestError):
    """The broker did not take a message: not connected, refused, or no answer in time. Try again later."""


class BrokerAddressError(IngestError):
    """The broker's address or TLS settings cannot be used."""
