"""docs/commands.md, made of the commands' own help: `python -m hcawatch.commands.reference > docs/commands.md`."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

_HEAD = """# Commands

Made of the commands' own help by `python -m hcawatch.commands.reference > docs/commands.md`; a test compares.
Shell completion: `hcawatch --install-completion`. Exit status: 0 done, 1 it failed, 2 the command line was
wrong, 130 Ctrl-C. What failed is one line on stderr; `HCAWATCH_DEBUG=1` shows where in the code.
"""
_WIDTH = 96


def markdown() -> str:
    """The page."""
    from hcawatch.cli import app

    parts = [_HEAD]
    for path, text in helps(app):
        parts.append(f"{'#' * min(len(path) + 1, 3)} {' '.join(path)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def helps(app: typer.Typer) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every command's path and help text, parents first."""
    root: Any = typer.main.get_command(app)
    yield from _below(root, None, ("hcawatch",))


def _below(command: Any, parent: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    context = typer.Context(
        command, info_name=path[-1], parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )  # fmt: skip
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    yield path, "\n".join(lines)
    for name in getattr(command, "commands", {}):
        yield from _below(command.commands[name], context, (*path, name))


if __name__ == "__main__":
    sys.stdout.write(markdown())
