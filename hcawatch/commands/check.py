"""`hcawatch check CONFIG`: all faults of a configuration at once, each with line, key and remedy."""

import json
from typing import TYPE_CHECKING

import typer

from hcawatch.commands.common import AsJson, ConfigFile, Lang, Language, language, with_examples

if TYPE_CHECKING:
    from models.shipped import Silent

_SUMMARY = {
    Lang.EN: "{file}: no faults. {pipelines} pipelines, {hcas} HCAs ({watched} with a camera), {edges} edges, "
    "{cameras} cameras ({surveyed} put on the ground), {teams} teams, {permits} permits; version {version}",
    Lang.ZH: "{file}：没有错误。管道 {pipelines} 条，高后果区 {hcas} 个（{watched} 个有摄像机），边缘节点 {edges} 个，"
    "摄像机 {cameras} 台（{surveyed} 台已标定），班组 {teams} 个，许可 {permits} 份；版本 {version}",
}
_MODEL = {Lang.EN: "With the model {model}:", Lang.ZH: "使用模型 {model} 时："}
_COUNT = {Lang.EN: "{errors} errors, {warnings} warnings", Lang.ZH: "{errors} 个错误，{warnings} 个警告"}
_SEVERITY = {
    Lang.EN: {"error": "error", "warning": "warning"},
    Lang.ZH: {"error": "错误", "warning": "警告"},
}


@with_examples(
    "hcawatch check hcawatch.yaml",
    "hcawatch check hcawatch.yaml --lang zh",
    "hcawatch check hcawatch.yaml --json",
)
def check(config: ConfigFile, lang: Language = None, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a configuration: file, line, column, key, fault, remedy.

    Exit status 0 without errors (warnings are only said), 1 with errors.
    """
    from hcawatch.config import check as check_file

    report = check_file(config)
    tongue = language(lang)
    if as_json:
        typer.echo(json.dumps(_as_table(report, tongue), ensure_ascii=False, indent=1))
        raise typer.Exit(1 if report.errors else 0)
    for fault in report.faults:
        severity = _SEVERITY[tongue][fault.severity]
        where = f"{config}:{fault.line}:{fault.column}"
        key = f" {fault.key}:" if fault.key else ""
        typer.echo(f"{where}: {severity}:{key} {fault.what(tongue.value)} [{fault.code}]")
        typer.echo(f"    → {fault.remedy(tongue.value)}")
    if report.faults:
        typer.echo(_COUNT[tongue].format(errors=len(report.errors), warnings=len(report.warnings)))
    if report.config is not None:
        typer.echo(_SUMMARY[tongue].format(file=config, **summary(report.config)))
        model, silent = without_alarm()
        if silent:
            typer.echo(_MODEL[tongue].format(model=model))
        for line in silent:
            typer.echo(f"    {_told(line, tongue)}")
    raise typer.Exit(1 if report.errors else 0)


def summary(config: object) -> dict[str, object]:
    """How much of everything there is."""
    from hcawatch.config import LoadedConfig

    assert isinstance(config, LoadedConfig)
    city = config.city
    return {
        "pipelines": len(city.pipelines), "hcas": len(city.hcas), "edges": len(city.edges),
        "watched": len({camera.site_id for camera in city.cameras}),
        "cameras": len(city.cameras), "surveyed": sum(bool(camera.ground_points) for camera in city.cameras),
        "teams": len(city.teams), "permits": len(config.settings.permits), "version": config.version,
    }  # fmt: skip


def without_alarm() -> "tuple[str, tuple[Silent, ...]]":
    """The name of the model that edges run, and its classes that raise no alarm; none if it can't be read."""
    from models.errors import ModelRefused
    from models.registry import find, read_card

    try:
        card = read_card(find(None))
    except ModelRefused:  # `hcawatch models list` says what is wrong with it
        return "", ()
    return card.name, card.shipping.silent


def _told(silent: "Silent", tongue: Lang) -> str:
    from models.shipped import sentence

    return sentence(silent, tongue.value)


def _as_table(report: object, tongue: Lang) -> dict[str, object]:
    from hcawatch.config import Report

    assert isinstance(report, Report)
    faults = [
        {
            "line": fault.line, "column": fault.column, "key": fault.key, "code": fault.code,
            "severity": fault.severity, "what": fault.what(tongue.value), "remedy": fault.remedy(tongue.value),
        }
        for fault in report.faults
    ]  # fmt: skip
    found = summary(report.config) if report.config is not None else None
    model, silent = without_alarm()
    return {
        "file": str(report.path), "faults": faults, "summary": found,
        "model": {
            "name": model,
            "no_alarm": [{"class": s.class_name, "why": s.why.value, "what": _told(s, tongue)} for s in silent],
        },
    }  # fmt: skip
