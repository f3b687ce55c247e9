"""What the `hcawatch models` commands share about backends, and `hcawatch models speed`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import platformdirs
import typer

from hcawatch.commands.common import AsJson, with_examples

if TYPE_CHECKING:
    from models.detector import Detector

#: Figures are made with it unless another is named: it runs on any CPU and always in the same numbers.
DEFAULT = "onnxruntime"
BackendOption = Annotated[
    str,
    typer.Option(
        "--backend", metavar="NAME",
        help="openvino, openvino-int8, onnxruntime, ultralytics, or auto for the fastest on this machine.",
    ),
]  # fmt: skip


def loaded(
    folder: Path | None,
    backend: str,
    *,
    threads: int,
    long_side_px: int | None,
    score_min: float | None = None,
) -> "Detector":
    """The set in `folder` (the shipped one if None) in the named backend, or in the fastest."""
    from models.backends import AUTO, SCORE_MIN, Options
    from models.choice import decide
    from models.registry import find, load, read_card

    folder = folder or find(None)
    if backend == AUTO:
        card = read_card(folder)
        options = Options(threads=threads, long_side_px=long_side_px or card.long_side_px)
        backend = decide(card, options, platformdirs.user_state_path("hcawatch")).backend
    return load(
        folder, backend, threads=threads, long_side_px=long_side_px,
        score_min=SCORE_MIN if score_min is None else score_min,
    )  # fmt: skip


@with_examples("hcawatch models speed", "hcawatch models speed --threads 2 --json")
def speed(
    model: Annotated[str | None, typer.Option(metavar="NAME_OR_FOLDER", help="A set of weights; else the shipped one.", show_default=False)] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="CPU threads for one picture.")] = 1,
    long_side_px: Annotated[int | None, typer.Option(min=32, max=4096, help="Longer side of the network's input; else as its card has it.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Measure for two seconds which backend is fastest on this machine, and say why others were left out."""
    from models.backends import Options
    from models.card import check
    from models.choice import measure
    from models.registry import find, read_card

    card = read_card(find(model))
    check(card)
    found = measure(card, Options(threads=threads, long_side_px=long_side_px or card.long_side_px))
    table: dict[str, Any] = {
        "model": card.name, "chosen": found.backend, "reason": found.reason.value, "ms": dict(found.ms),
        "left_out": dict(found.left_out),
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(table, ensure_ascii=False))
        return
    for name, ms in sorted(found.ms.items(), key=lambda row: row[1]):
        typer.echo(f"{'*' if name == found.backend else ' '} {name:<14} {ms:8.1f} ms a picture")
    for name, why in found.left_out.items():
        typer.echo(f"  {name:<14} {'-':>8} {why}")
