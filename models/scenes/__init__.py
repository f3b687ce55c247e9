"""Our own rendered footage, with its truth: the demo's clip and whatever tests need to see.

Always labelled as simulated; never used to evaluate a detector (../shared/design.md).
"""

from models.scenes.camera import Camera, TangentPlane
from models.scenes.clip import Frame, FrameTruth, Stage, render_demo_clip, truth_table
from models.scenes.story import Story

__all__ = [
    "Camera",
    "Frame",
    "FrameTruth",
    "Stage",
    "Story",
    "TangentPlane",
    "render_demo_clip",
    "truth_table",
]
