"""`python -m models.training.worker FOLDER`: trains what `models.training.prepare` put there.

Runs in the Python of the training environment. Goes on where it was cut off. Leaves
FOLDER/run (Ultralytics' curves and checkpoints) and FOLDER/model (a set of weights with its card,
which `hcawatch models eval --model FOLDER/model` takes).
"""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TextIO

import yaml

#: Turned off: a changed hue makes smoke of haze and fire of a lamp; upside down is never seen.
AUGMENTATION: Final = {
    "hsv_h": 0.01, "hsv_s": 0.5, "hsv_v": 0.4, "degrees": 3.0, "translate": 0.1, "scale": 0.6, "fliplr": 0.5,
    "mosaic": 1.0, "mixup": 0.0, "copy_paste": 0.0, "erasing": 0.0,
}  # fmt: skip


def train(folder: Path) -> Path:
    """Train, export, and return the folder of the finished set of weights."""
    lock = hold(folder)
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_CONFIG_DIR=str(folder / "settings"))
    (folder / "settings").mkdir(exist_ok=True)
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    import torch
    from ultralytics.utils import torch_utils

    from models.training.masked import SiteTrainer
    from models.training.teacher import teach

    torch_utils.NUM_THREADS = plan["threads"]  # else all cores but one
    torch.set_num_threads(plan["threads"])
    last = folder / "run" / "weights" / "last.pt"
    finished = folder / "finished.pt"
    if not finished.is_file() and not mended(last):
        if Path(plan["start"]).suffix == ".onnx":
            plan["start"] = str(_revived(plan, folder))
        if plan["teacher"]:
            teach(plan, folder)
        trainer = SiteTrainer(
            _overrides(plan, folder, last), plan["known"], plan["weather"], precision=plan["precision"]
        )
        trainer.train()
    if not finished.is_file():
        # Not best.pt: the epoch is not chosen by pictures that measure it later.
        partial = finished.with_suffix(".partial")
        partial.write_bytes(last.read_bytes())
        partial.replace(finished)
    made = _finish(finished, folder / "model", plan)
    lock.close()
    return made


def _revived(plan: dict[str, Any], folder: Path) -> Path:
    """The shipped weights to go on from, as a checkpoint."""
    from models.training.revive import revive

    target = folder / "revived.pt"
    if not target.is_file():
        partial = target.with_suffix(".partial")
        pictures = sorted((folder / "images").iterdir())
        revive(Path(plan["start"]), partial, plan["classes"], pictures, plan["input_px"])
        partial.replace(target)
    return target


def hold(folder: Path) -> TextIO:
    """Keep the folder for this process until it ends, however it ends.

    Raises:
        RuntimeError: another training runs there; two would write each other's checkpoints.
    """
    lock = (folder / "lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        lock.close()
        raise RuntimeError(
            f"a training runs in {folder} already: let it end, or end it, or name another --folder"
        ) from exc
    return lock


def mended(last: Path) -> bool:
    """Make the checkpoint one to go on with, and say whether its training did all its epochs.

    A cut while it was written leaves half of it: then best.pt, which is written after it, is the epoch before.
    One of a finished training has no optimizer any more, and Ultralytics refuses to go on with it.
    """
    told = _read(last)
    if told is None and last.is_file():
        best = last.with_name("best.pt")
        told = _read(best)
        sys.stdout.write(f"{last} is broken: {'the epoch before' if told else 'training from the start'}\n")
        if told is None:
            last.unlink()
        else:
            last.write_bytes(best.read_bytes())
    return told is not None and told.get("epoch") == -1 and told.get("optimizer") is None


def _read(checkpoint: Path) -> dict[str, Any] | None:
    import torch

    try:
        told: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=False)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        return None
    return told


def _overrides(plan: dict[str, Any], folder: Path, last: Path) -> dict[str, Any]:
    told = {
        "model": plan["start"], "data": str(folder / "data.yaml"), "imgsz": plan["input_px"],
        "epochs": plan["epochs"], "batch": plan["batch"], "seed": plan["seed"], "deterministic": True,
        "optimizer": "AdamW", "lr0": plan["learning_rate"], "lrf": 0.02, "cos_lr": True, "warmup_epochs": 0.5,
        "warmup_bias_lr": 0.0,  # anything else throws away what the start knows
        "close_mosaic": plan["plain_epochs"], "val": False, "plots": True, "amp": False, "workers": plan["workers"],
        "freeze": plan["freeze"], "cache": "ram", "pretrained": plan.get("transfer") or True,
        "project": str(folder), "name": "run", "exist_ok": True, "device": plan.get("device", "cpu"),
    }  # fmt: skip
    return {**told, **AUGMENTATION} | ({"resume": str(last)} if last.is_file() else {})


def _finish(checkpoint: Path, target: Path, plan: dict[str, Any]) -> Path:
    from models.export import OPSET, export

    report = export(checkpoint, target)
    if not report["equal"]:
        raise RuntimeError(f"the exported network differs from the trained one: {report}")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "ultralytics"))
    card = {
        "name": plan["name"], "version": "1", "sha256": report["sha256"], "licence": "AGPL-3.0-or-later",
        "classes": report["classes"], "input": {"long_side_px": plan["input_px"]},
        "trained_on": f"{plan['pictures']} pictures, {plan['rendered']} of them rendered; {plan['epochs']} epochs at {plan['input_px']} px from {Path(plan['start']).name}",
        "exported_with": f"models.export ({versions}, opset {OPSET})", "scores_calibrated": False,
        "figures": {}, "cannot": ["Be trusted: it has not been measured yet (hcawatch models eval)."],
    }  # fmt: skip
    (target / "card.yaml").write_text(
        yaml.safe_dump(card, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{train(Path(sys.argv[1]).resolve())}\n")
