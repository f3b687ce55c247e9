"""Training a detector by one command: a recipe (`recipe`), its pictures put together (`prepare`, `scenery`,
`coco`), what cameras do to them (`weather`), and the training itself (`masked`, `worker`).

Only the last two need torch and Ultralytics; they run in an environment of their own, and nothing of
the running system imports them.
"""
