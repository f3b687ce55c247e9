"""Every statement that the program names is in its file: a missing one shows only when a person takes that step."""

from __future__ import annotations

import ast
from pathlib import Path

from monitor.store.queries import Queries

ROOT = Path(__file__).parents[3]
PACKAGES = ("alerts", "edge", "hcawatch", "models", "monitor")


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text("utf-8"))
    return found


def test_every_statement_that_is_named_is_there() -> None:
    """A text message of an officer was taken and never answered: its statement had gone with another page's."""
    trees, sets, missing, seen = modules(), {}, [], 0
    for name, tree in trees.items():
        for node in tree.body:
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=to)], value=ast.Call(func=ast.Name(id="Queries"), args=args)
                ):
                    sets[name, to] = Queries(*(ast.literal_eval(one) for one in args))
    for name, tree in trees.items():
        known = {to: queries for (module, to), queries in sets.items() if module == name}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                known |= {
                    one.asname or one.name: sets[node.module, one.name]
                    for one in node.names
                    if (node.module, one.name) in sets
                }
        for node in ast.walk(tree):
            match node:
                case ast.Subscript(value=ast.Name(id=of), slice=ast.Constant(value=str(asked))) if (
                    of in known
                ):
                    seen += 1
                    if asked not in known[of]:
                        missing.append(f"{name}: {of}[{asked!r}]")
    assert missing == []
    assert seen > 200
