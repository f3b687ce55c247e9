"""One small file per command. Each says what it takes and prints; the work is done elsewhere."""

import typer

from hcawatch.commands import (
    alerts,
    audit,
    centre,
    channels,
    check,
    config,
    db,
    demo,
    edge,
    feedback,
    grafana,
    models,
    people,
    permits,
    reports,
    rules,
    teams,
    thresholds,
    up,
    visits,
)


def register(app: typer.Typer) -> None:
    """Add all commands, in the order of the help."""
    app.command("demo")(demo.demo)
    app.command("up")(up.up)
    app.command("check")(check.check)
    app.command("rules")(rules.rules)
    app.command("centre")(centre.centre)
    app.command("edge")(edge.edge)
    app.command("people")(people.people)
    app.add_typer(alerts.app, name="alerts")
    app.add_typer(permits.app, name="permits")
    app.add_typer(feedback.app, name="feedback")
    app.add_typer(thresholds.app, name="thresholds")
    app.add_typer(reports.app, name="reports")
    app.add_typer(teams.app, name="teams")
    app.command("visits")(visits.visits)
    app.add_typer(config.app, name="config")
    app.add_typer(channels.app, name="channels")
    app.add_typer(db.app, name="db")
    app.add_typer(audit.app, name="audit")
    app.add_typer(models.app, name="models")
    app.add_typer(grafana.app, name="grafana")
