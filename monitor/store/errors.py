"""What can be wrong with the store itself. Errors of single statements stay psycopg's own."""


class StoreError(Exception):
    """Base of what monitor.store raises."""


class SchemaMismatchError(StoreError):
    """The database was made by another release than this one, so we neither change nor use it."""


class QueryFileError(StoreError):
    """A queries.sql cannot be read, or a name is asked for that it does not hold."""
