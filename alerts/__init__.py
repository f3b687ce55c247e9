"""The closed loop: what happens to an alert from its opening to its end."""
