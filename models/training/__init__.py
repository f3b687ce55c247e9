"""Training a detector by one command: a recipe (`recipe`), its pictures put together (`prepare`, `coco`),
what cameras do to them (`weather`), and the training itself (`masked`, `worker`). Pictures of our own to
mix in come from `mixture`: rendered machines (`scenery`) and real cut-outs (`cutouts`), also in photographs
(`photographs`).

Only the last two need torch and Ultralytics; they run in an environment of their own, and nothing of
the running system imports them.
"""
