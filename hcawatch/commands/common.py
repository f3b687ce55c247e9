"""What the command files share: options, examples in the help, errors, the language of messages."""

import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from hcawatch.config import LoadedConfig

F = TypeVar("F", bound=Callable[..., None])


class CommandError(Exception):
    """The command can't do what was asked; the message says what is wrong, where, and what to do."""


class Lang(StrEnum):
    """Languages of messages."""

    EN = "en"
    ZH = "zh"


ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="The YAML configuration.", show_default=False)
]
#: services take it either way: `hcawatch up my.yaml`, `hcawatch up --config my.yaml`
ServiceConfig = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help="The YAML configuration.", show_default=False)
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="CONFIG", help="The same as an option.", show_default=False)
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", envvar="HCAWATCH_DATABASE_URL", show_default=False,
        help="postgresql://… of the database; better given by the environment variable.",
    ),
]  # fmt: skip
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Data folder of a running `hcawatch up` or `demo`.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Language = Annotated[
    Lang | None, typer.Option("--lang", help="Language of messages; else that of LANG.", show_default=False)
]


def one_config(argument: Path | None, option: Path | None) -> Path:
    """The configuration, however it was named; CommandError if it was not, or twice."""
    if argument is not None and option is not None and argument != option:
        raise CommandError(f"two configurations are named, {argument} and {option}: name one")
    named = argument or option
    if named is None:
        raise CommandError(
            "no configuration is named: give CONFIG or --config CONFIG (`hcawatch config example` writes one)"
        )
    return named


def examples(*lines: str) -> str:
    """Examples for a help text, kept line by line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def with_examples(*lines: str) -> Callable[[F], F]:
    """Adds examples to the help of a command."""

    def add(function: F) -> F:
        # a paragraph of its own, after the function's own text
        function.__doc__ = f"{inspect.getdoc(function)}\n\n{examples(*lines)}"
        return function

    return add


def group(help_text: str) -> typer.Typer:
    """A command with commands of its own; alone it prints its help."""
    app = typer.Typer(
        help=help_text, rich_markup_mode=None, invoke_without_command=True, pretty_exceptions_enable=False
    )

    @app.callback()
    def _alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app


def language(wanted: Lang | None, env: Mapping[str, str] | None = None) -> Lang:
    """The language asked for, else Chinese if the environment's is, else English."""
    if wanted is not None:
        return wanted
    from hcawatch.texts import language as language_of

    return Lang(language_of(env))


def version_text() -> str:
    """What `--version` prints."""
    return f"hcawatch {metadata.version('hcawatch')}"


def database_url(named: str | None, data_dir: Path | None) -> str:
    """Where the database is: named, or that of a running installation in `data_dir`."""
    if named:
        return named
    if data_dir is not None:
        from hcawatch.runtime import Runtime

        return Runtime.load(data_dir / "runtime.json").database_url
    raise CommandError(
        "no database named: set HCAWATCH_DATABASE_URL, give --database URL, or --data-dir of a running hcawatch"
    )


def running_config(config: Path | None, url: str) -> "LoadedConfig":
    """The configuration of the file, else the one that the database runs."""
    from hcawatch.config import load, versions
    from hcawatch.edge_configs import of_version

    if config is not None:
        return load(config, part="nobody")
    with versions.connect(url) as conn:
        newest = versions.read(conn)
    loaded = of_version(newest, Path("hcawatch.yaml"))
    if loaded is None:
        raise CommandError(
            "the configuration in the database cannot be used by this release: give --config FILE"
        )
    return loaded
