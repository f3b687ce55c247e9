"""Events in film: what happens in a clip (`truth`), what a detector would report (`debounce`), which report
finds which event (`matching`), and the figures of it (`summary`). All pure; `models.eval.video` looks at
clips, `html` writes the page.
"""
