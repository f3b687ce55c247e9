"""The centre: what the system knows, keeps and shows."""
