"""Promoted sets of weights, for the edges that are to use them: the manifest by its name, and each file by the manifest.

What was put there was checked (hcawatch.promotion); an edge checks all of it again by the name that its configuration says.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import FileResponse, Response

from monitor.domain.model_release import MANIFEST, ManifestRefused, read
from monitor.domain.roles import Right
from monitor.web.access import Guard
from monitor.web.deps import web_of
from monitor.web.errors import NotFound
from monitor.web.people import Principal

router = APIRouter(prefix="/api/v1/models")
Edge = Annotated[Principal, Depends(Guard(Right.FETCH_MODEL))]
Name = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


@router.get("/{name}")
def manifest(request: Request, name: Name, edge: Edge) -> Response:
    """The manifest of the set of that name."""
    path = web_of(request).deps.data_dir / "models" / name / MANIFEST
    if not path.is_file():
        raise NotFound("no_model")
    return FileResponse(path, media_type="application/json")


@router.get("/{name}/files/{file_name}")
def file(request: Request, name: Name, file_name: FileName, edge: Edge) -> Response:
    """One file that the manifest names; nothing else of the folder."""
    folder = web_of(request).deps.data_dir / "models" / name
    try:
        known = {one.name for one in read((folder / MANIFEST).read_bytes(), name).files}
    except (OSError, ManifestRefused) as exc:
        raise NotFound("no_model") from exc
    if file_name not in known or not (folder / file_name).is_file():
        raise NotFound("no_model")
    return FileResponse(folder / file_name, media_type="application/octet-stream")
