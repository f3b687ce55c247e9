"""`hcawatch people CONFIG`: logins and edge tokens of a production installation, made where they are missing."""

from pathlib import Path
from typing import Annotated

import typer

from hcawatch.commands.common import CommandError, ConfigFile, DatabaseUrl, with_examples


@with_examples(
    "HCAWATCH_DATABASE_URL=postgresql://… hcawatch people hcawatch.yaml --secrets /var/lib/hcawatch/secrets"
)
def people(
    config: ConfigFile,
    secrets: Annotated[Path, typer.Option(help="Folder for the passwords and tokens; made with mode 700.", show_default=False)],
    broker_passwords: Annotated[
        Path | None,
        typer.Option(help="Mosquitto's password file to write, with a user for the centre and each edge.", show_default=False),
    ] = None,
    database: DatabaseUrl = None,
) -> None:  # fmt: skip
    """Make the missing logins (control room, teams) and edge tokens; `hcawatch up` does it by itself.

    Each secret becomes a file of its own: password-NAME, edge-token-EDGE, and with --broker-passwords
    mqtt-USER. Nothing is printed but names. Safe to run again.
    """
    from datetime import UTC, datetime

    from hcawatch.config import load
    from hcawatch.people import ensure_edges, ensure_people
    from hcawatch.vault import Vault
    from monitor.ingest.broker_files import mosquitto_passwords
    from monitor.ingest.embedded_broker import CENTRE
    from monitor.store.migrate import migrate
    from monitor.store.pool import make_pool

    loaded = load(config, part="nobody" if database else "centre")
    url = database or loaded.settings.database_url
    if url is None:
        raise CommandError("no database named: set HCAWATCH_DATABASE_URL or give --database URL")
    migrate(url)
    vault = Vault(secrets)
    with make_pool(url, "people", max_size=1) as pool, pool.connection() as conn:
        users = ensure_people(conn, loaded.city, vault, datetime.now(UTC))
        edges = ensure_edges(conn, loaded.city, vault)
    if broker_passwords is not None:
        passwords = {user: vault.get(f"mqtt-{user}") for user in (CENTRE, *edges)}
        # salted hashes of random secrets: the broker's own account must be able to read them
        broker_passwords.write_text(mosquitto_passwords(passwords), encoding="utf-8")
        broker_passwords.chmod(0o644)
    typer.echo(f"logins: {', '.join(users)}")
    typer.echo(f"edges: {', '.join(edges)}")
    typer.echo(f"their secrets are in {secrets}")
