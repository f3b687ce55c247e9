"""The training's own tests belong to the training's own Python, which has torch; the product never has it.

They are left out here by name, not skipped: each says at its top how to run it where its libraries are.
The same goes for what asks Ultralytics itself, and for making 8-bit networks, which needs nncf.
"""

from importlib.util import find_spec

collect_ignore = []
if not (find_spec("torch") and find_spec("ultralytics")):
    collect_ignore += ["test_training_loss.py", "test_training_revive.py", "test_parity_ultralytics.py"]
if not find_spec("nncf"):
    collect_ignore += ["test_quantize_run.py"]
