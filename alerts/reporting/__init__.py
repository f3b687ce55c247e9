"""Alerts that no camera of ours saw: a person's report, and a device's own alarm."""
