"""What is kept beside alerts, rebuilt from the audit log alone: shelves, what visits took along, notices."""
