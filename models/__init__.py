"""Detectors: what a camera frame shows, as boxes with classes and scores.

One protocol (`models.detector`), its backends, the shipped weights with their cards, and the
renderer that makes our own footage (`models.scenes`). This package imports nothing else of ours
and reads folders, not databases; what a box *means* beside a pipeline is decided elsewhere.
"""
