"""What can be wrong with the audit log itself. A failed verification is a Verdict, not an error."""


class AuditError(Exception):
    """Base of what monitor.audit raises."""


class ProofError(AuditError):
    """A proof does not lead to the root that it was given for."""


class NoteError(AuditError):
    """A signed note, checkpoint or key is malformed, or was not signed by the key in question."""


class LogBrokenError(AuditError):
    """What the database holds contradicts what was signed; nothing more may be signed on top of it."""
