"""Centrelines and HCAs: vertices on Earth and in order, ranges of chainage inside and apart."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, Path
from hcawatch.config.schema import HcaSection, PermitSection
from monitor.domain.geometry import Centreline

#: surveys and maps disagree by so much on where a line ends
END_TOLERANCE_M: Final = 1.0
OVERLAP_TOLERANCE_M: Final = 0.5
#: no two neighbouring vertices of a surveyed line are so far apart
JUMP_M: Final = 50_000.0


def check(look: Look) -> Iterator[Fault]:
    """Faults of pipelines and HCAs."""
    measured: dict[str, Centreline] = {}
    for index, pipeline in enumerate(look.document.pipelines):
        faults = list(_centreline(look, index))
        yield from faults
        if not any(fault.severity == "error" for fault in faults) and look.ok(
            "pipelines", index, "centreline"
        ):
            vertices = tuple((lon, lat) for lon, lat in pipeline.centreline)
            measured[pipeline.id] = Centreline.of(vertices, pipeline.origin_chainage_m)
    yield from _ranges(look, measured)
    yield from _overlaps(look)
    used = {hca.pipeline for hca in look.document.hcas}
    for index, pipeline in enumerate(look.document.pipelines):
        if pipeline.id not in used and look.ok("hcas"):
            yield look.fault("pipeline_without_hca", "pipelines", index, pipeline=pipeline.id)


def lonlat_faults(look: Look, point: list[float], path: Path) -> Iterator[Fault]:
    """Faults of one [longitude, latitude]."""
    lon, lat = point
    if abs(lat) > 90 and abs(lon) <= 90 and abs(lat) <= 180:
        yield look.fault("lonlat_swapped", *path, lon=f"{lon:g}", lat=f"{lat:g}")
    elif abs(lon) > 180 or abs(lat) > 90:
        yield look.fault("lonlat_range", *path, lon=f"{lon:g}", lat=f"{lat:g}")


def _centreline(look: Look, index: int) -> Iterator[Fault]:
    path = ("pipelines", index, "centreline")
    vertices = look.document.pipelines[index].centreline
    if len(vertices) < 2:
        yield look.fault("centreline_short", *path, found=len(vertices))
        return
    wrong = [fault for n, point in enumerate(vertices) for fault in lonlat_faults(look, point, (*path, n))]
    yield from wrong
    if wrong:
        return
    if all(point == vertices[0] for point in vertices):
        yield look.fault("centreline_zero", *path)
        return
    line = Centreline.of(tuple((lon, lat) for lon, lat in vertices))
    for n in range(1, len(vertices)):
        length_m = line.chainages_m[n] - line.chainages_m[n - 1]
        if vertices[n] == vertices[n - 1]:
            yield look.fault("vertex_repeated", *path, n)
        elif length_m > JUMP_M:
            yield look.fault("centreline_jump", *path, n, length=f"{length_m / 1000:.0f}")


def _ranges(look: Look, measured: dict[str, Centreline]) -> Iterator[Fault]:
    for index, hca in enumerate(look.document.hcas):
        if hca.to_m <= hca.from_m and look.ok("hcas", index, "from_m"):
            facts = {"from": f"{hca.from_m:g}", "to": f"{hca.to_m:g}"}
            yield look.fault("hca_reversed", "hcas", index, "to_m", **facts)
        yield from _inside(look, hca, measured, "hcas", index)
    for index, permit in enumerate(look.document.permits):
        yield from _inside(look, permit, measured, "permits", index)


def _inside(
    look: Look, entry: HcaSection | PermitSection, measured: dict[str, Centreline], *path: str | int
) -> Iterator[Fault]:
    line = measured.get(entry.pipeline)
    if line is None:
        return
    begin_m, end_m = line.chainages_m[0], line.chainages_m[-1]
    facts = {"pipeline": entry.pipeline, "begin": f"{begin_m:.0f}", "end": f"{end_m:.0f}"}
    for key, at_m in (("from_m", entry.from_m), ("to_m", entry.to_m)):
        if at_m > end_m + END_TOLERANCE_M:
            yield look.fault("hca_beyond_end", *path, key, at=f"{at_m:g}", **facts)
        elif at_m < begin_m - END_TOLERANCE_M:
            yield look.fault("hca_before_start", *path, key, at=f"{at_m:g}", **facts)


def _overlaps(look: Look) -> Iterator[Fault]:
    by_pipeline: dict[str, list[int]] = defaultdict(list)
    hcas = look.document.hcas
    for index, hca in enumerate(hcas):
        if hca.to_m > hca.from_m and all(look.ok("hcas", index, key) for key in ("from_m", "to_m")):
            by_pipeline[hca.pipeline].append(index)
    for indices in by_pipeline.values():
        furthest: int | None = None
        for index in sorted(indices, key=lambda i: (hcas[i].from_m, i)):
            if furthest is not None:
                shared_m = min(hcas[furthest].to_m, hcas[index].to_m) - hcas[index].from_m
                if shared_m > OVERLAP_TOLERANCE_M:
                    # said at the one that stands later in the file
                    other, here = sorted((furthest, index))
                    yield look.fault("hca_overlap", "hcas", here, "from_m", other=hcas[other].id,
                                     first=look.line("hcas", other), length=f"{shared_m:.0f}")  # fmt: skip
            if furthest is None or hcas[index].to_m > hcas[furthest].to_m:
                furthest = index
