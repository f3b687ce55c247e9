"""How good a detector is on labelled pictures: pure figures (`matching`, `precision`, `calibration`,
`confusion`, `summary`) and the rim that reads pictures and writes a report (`dataset`, `run`, `html`).
"""
