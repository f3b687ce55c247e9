"""The worker beside the cameras: frames in, numbered messages and evidence out.

Decisions are pure (`watcher` and what it calls); sockets, files, clocks and processes stand at the rim
(`sources`, `outbox`, `publisher`, `uploader`, `camera_process`, `supervisor`). `worker.run` wires them.
"""
