"""The command `hcawatch`: puts the small command files together, and ends every failure in one clear line.

Heavy parts are imported inside the commands, so that `--help` is quick and a broken part breaks only its
own command. Exit status: 0 done, 1 it failed, 2 the command line was wrong, 130 Ctrl-C.
"""

import os
import sys
from collections.abc import Sequence

import typer

from hcawatch import commands
from hcawatch.commands.common import examples, version_text

HELP = f"""Watches oil and gas pipelines with cameras: edge, broker, database, alerts, proof.

{
    examples(
        "hcawatch demo                        the whole chain on real footage",
        "hcawatch config example > my.yaml    a commented configuration",
        "hcawatch check my.yaml               all its faults, with line and remedy",
        "hcawatch up my.yaml                  your own cameras, everything on this machine",
    )
}"""

app = typer.Typer(
    name="hcawatch",
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
commands.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_text())
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and end."
    ),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; what went wrong is one line on stderr."""
    try:
        status = app(args=list(arguments), prog_name="hcawatch", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read our output has enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.Abort:
        return _fail("nothing was done", 1)
    except typer.TyperException as exc:
        context = getattr(exc, "ctx", None)
        where = context.command_path if context is not None else "hcawatch"
        return _fail(f"{exc.format_message()} (see `{where} --help`)", exc.exit_code)
    except Exception as exc:
        if os.environ.get("HCAWATCH_DEBUG") == "1":
            raise
        return _fail(_one_line(exc), 1)
    return status if isinstance(status, int) else 0


def _one_line(exc: BaseException) -> str:
    text = str(exc) or "unexpected"
    if isinstance(exc, OSError) and exc.strerror:
        text = f"{exc.strerror}: {exc.filename}" if exc.filename else exc.strerror
    if type(exc).__module__ == "builtins" and not isinstance(exc, OSError):
        # nobody wrote this for a reader, so say what it is and how to find the place
        text = f"{type(exc).__name__}: {text} (a fault of ours; HCAWATCH_DEBUG=1 shows where)"
    return text


def _fail(message: str, status: int) -> int:
    print(f"hcawatch: {' '.join(message.split())}", file=sys.stderr)
    return status
