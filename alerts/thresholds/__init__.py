"""Thresholds that a person sets by hand: one rule's numbers at one camera, by class, by day and by night.

What feedback proposes is `alerts.feedback`'s; both write the same entries of the configuration.
"""
