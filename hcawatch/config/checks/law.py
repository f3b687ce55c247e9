"""What the law says: permits only where it knows them, articles only for transmission pipelines."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from hcawatch.config.checks.look import Look
from hcawatch.config.checks.names import is_timezone
from hcawatch.config.faults import Fault
from monitor.domain.violations import CATALOGUE


def check(look: Look) -> Iterator[Fault]:
    """Faults of permits and regimes."""
    zone = look.document.city.timezone
    zone = zone if is_timezone(zone) else "UTC"
    for index, permit in enumerate(look.document.permits):
        path = ("permits", index)
        begin, end = aware(permit.valid_from, zone), aware(permit.valid_to, zone)
        if end <= begin and look.ok(*path, "valid_from"):
            yield look.fault("permit_reversed", *path, "valid_to")
        elif end < look.around.now:
            yield look.fault("permit_over", *path, "valid_to", date=f"{end:%Y-%m-%d}")
        row = CATALOGUE.get(permit.violation)
        approvable = ", ".join(code for code, known in CATALOGUE.items() if known.permit == "approval")
        if row is None:
            yield look.fault("permit_violation_unknown", *path, "violation", name=permit.violation,
                             known=", ".join(CATALOGUE))  # fmt: skip
        elif row.permit != "approval":
            yield look.fault("permit_not_in_law", *path, "violation", name=permit.violation,
                             article=row.article, known=approvable)  # fmt: skip
    for index, hca in enumerate(look.document.hcas):
        for n, one in enumerate(hca.checks):
            for m, code in enumerate(one.violations):
                if code not in CATALOGUE:
                    yield look.fault("permit_violation_unknown", "hcas", index, "checks", n, "violations", m, name=code,
                                     known=", ".join(CATALOGUE))  # fmt: skip
    yield from _regimes(look)


def aware(moment: datetime, timezone: str) -> datetime:
    """A time without zone is the city's."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(timezone))


def _regimes(look: Look) -> Iterator[Fault]:
    hcas = {hca.id: hca for hca in look.document.hcas}
    pipelines = {pipeline.id: pipeline for pipeline in look.document.pipelines}
    for index, camera in enumerate(look.document.cameras):
        hca = hcas.get(camera.site)
        pipeline = pipelines.get(hca.pipeline) if hca is not None else None
        if pipeline is not None and pipeline.regime != "transmission":
            yield look.fault("articles_do_not_apply", "cameras", index, "site", pipeline=pipeline.id,
                             regime=pipeline.regime, camera=camera.id)  # fmt: skip
