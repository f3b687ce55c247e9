"""The web's own queries (queries.sql), read once."""

from monitor.store.queries import Queries

QUERIES = Queries("monitor.web")
