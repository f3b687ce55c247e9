"""The training's own tests belong to the training's own Python, which has torch; the product never has it.

They are left out here by name, not skipped: test_training_loss.py says how to run them where torch is.
"""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") and find_spec("ultralytics") else ["test_training_loss.py"]
