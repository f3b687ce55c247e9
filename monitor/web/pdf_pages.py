"""`python -m monitor.web.pdf_pages FILE FOLDER`: a PDF's pages as pictures, FOLDER/1.jpg and on.

A process of its own with limits on time and memory, because a PDF is what somebody sent: whatever its reader does, the
centre goes on, and nobody opens the file itself. Exit status 0: all pages are there; 3: it has too many; else it can't
be read.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from monitor.web.errors import Unusable

#: more are refused, not cut: what somebody sends is looked at as a whole
MOST_PAGES: Final = 12
EDGE_PX: Final = 1600
JPEG_QUALITY: Final = 82
CPU_S: Final = 30
WITHIN_S: Final = 90.0
MEMORY_BYTES: Final = 1 << 30
NICE: Final = 5
TOO_MANY: Final = 3


def pages_of(original: bytes) -> list[bytes]:
    """The pages of a PDF as JPEGs, without anything else of it. Unusable if it is none that we take.

    It takes a core, for up to `WITHIN_S` seconds: one at a time is the caller's to see to (`file_turns.py`).
    """
    with tempfile.TemporaryDirectory(prefix="hcawatch-pdf-") as folder:
        source = Path(folder) / "file.pdf"
        source.write_bytes(original)
        command = [sys.executable, "-m", "monitor.web.pdf_pages", str(source), folder]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise Unusable("pdf_broken") from exc
        if done.returncode == TOO_MANY:
            raise Unusable("pdf_pages", most=MOST_PAGES)
        pages = sorted(Path(folder).glob("*.jpg"), key=lambda path: int(path.stem))
        if done.returncode != 0 or not pages:
            raise Unusable("pdf_broken")
        return [page.read_bytes() for page in pages]


def main(source: str, folder: str) -> int:
    """Draw them; the exit status."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))
    import pypdfium2

    with pypdfium2.PdfDocument(source) as document:
        if len(document) > MOST_PAGES:
            return TOO_MANY
        for number in range(len(document)):
            page = document[number]
            longer = max(page.get_width(), page.get_height(), 1.0)
            picture = page.render(scale=EDGE_PX / longer).to_pil().convert("RGB")
            picture.save(Path(folder) / f"{number + 1}.jpg", "JPEG", quality=JPEG_QUALITY)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
