"""Figures of the loop: how fast it answers, what the room has to bear, and the monthly list of points."""
