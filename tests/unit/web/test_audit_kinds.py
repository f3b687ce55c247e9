"""Every kind of audit entry that the sources append has its words in both languages: an auditor reads what was done.

A kind without a text is shown by its last part ("Set" of what?), so nothing else would notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import hcawatch
from alerts.lifecycle import Step
from alerts.permitting.steps import PermitStep
from monitor.web.texts import LANGUAGES, Texts

ROOT = Path(hcawatch.__file__).parents[1]
ENTRY = ("monitor.audit.entries", "Entry")
#: steps that are values of an enum, not words in the source
STEPS = {"alert": list(Step), "permit": list(PermitStep)}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Place:
    """An expression, and what stands around it."""

    def __init__(self, path: Path, node: ast.expr, function: Function | None) -> None:
        self.path, self.node, self.function = path, node, function

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.node.lineno}: {ast.unparse(self.node)}"


def named(node: ast.expr) -> str:
    """`f` or `module.f`; else nothing that could be found."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return f"{module}.{name}"
    return ""


class Module:
    """What one file imports and calls."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        #: with the function that it stands in
        self.calls: list[tuple[str, ast.Call, Function | None]] = []
        #: from where, what, by what name
        self.imported: set[tuple[str, str, str]] = set()
        self._read(self.tree, None)

    def _read(self, node: ast.AST, function: Function | None) -> None:
        if isinstance(node, ast.Call):
            self.calls.append((named(node.func), node, function))
        if isinstance(node, ast.ImportFrom):
            self.imported |= {(node.module or "", one.name, one.asname or one.name) for one in node.names}
        inside = node if isinstance(node, Function) else function
        for child in ast.iter_child_nodes(node):
            self._read(child, inside)


@cache
def texts() -> dict[Path, str]:
    """All sources."""
    parts = ("alerts", "hcawatch", "monitor")
    return {path: path.read_text("utf-8") for part in parts for path in sorted((ROOT / part).rglob("*.py"))}


@cache
def module(path: Path) -> Module:
    return Module(texts()[path])


def appended() -> Iterator[Place]:
    """The `kind` of each entry that is made: of this class, whatever name it is imported by."""
    for path in (path for path, text in texts().items() if ENTRY[0] in text):
        names = {name for home, what, name in module(path).imported if (home, what) == ENTRY}
        for name, call, function in module(path).calls:
            if name in names:
                (kind,) = (keyword.value for keyword in call.keywords if keyword.arg == "kind")
                yield Place(path, kind, function)


def constants(path: Path) -> dict[str, ast.expr]:
    """What a module's names stand for."""
    return {
        target.id: node.value
        for node in module(path).tree.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip


def given(function: Function, parameter: str, path: Path) -> Iterator[Place]:
    """What callers give for a function's parameter."""
    of_all = [*function.args.posonlyargs, *function.args.args]
    position = next((n for n, one in enumerate(of_all) if one.arg == parameter), None)
    home = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for other, text in texts().items():
        if other != path and (f"{function.name}(" not in text or path.stem not in text):
            continue
        # as it is called in its own file, and as others call it by its module or by its name
        by_name = other == path or (home, function.name, function.name) in module(other).imported
        known = {f"{path.stem}.{function.name}", *([function.name] if by_name else [])}
        for name, call, inside in module(other).calls:
            if name in known:
                nodes = [one.value for one in call.keywords if one.arg == parameter]
                nodes += [] if position is None else call.args[position : position + 1]
                yield from (Place(other, node, inside) for node in nodes)


def words(place: Place) -> set[str]:
    """The texts that an expression may be; fails where that cannot be read from the sources."""
    node, path = place.node, place.path
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.JoinedStr(values=[ast.Constant(value=str(family)), ast.FormattedValue(value=step)]):
            name = family.rstrip(".")
            steps = STEPS[name] if name in STEPS else words(Place(path, step, place.function))
            return {f"{family}{one}" for one in steps}
        case ast.Name(id=name) if name in constants(path):
            return words(Place(path, constants(path)[name], None))
        case ast.Attribute(value=ast.Name(id=home), attr=name):
            homes = [one for one in texts() if one.stem == home and name in constants(one)]
            assert len(homes) == 1, f"{place}: add its steps to STEPS"
            return words(Place(homes[0], constants(homes[0])[name], None))
        case ast.Name(id=name) if place.function is not None:
            arguments = place.function.args
            found = [one for one in (*arguments.args, *arguments.kwonlyargs) if one.arg == name]
            assert found, f"{place}: it cannot be read from the sources what it may be"
            said = found[0].annotation
            if isinstance(said, ast.Name):
                said = constants(path).get(said.id)
            if isinstance(said, ast.Subscript) and ast.unparse(said.value) == "Literal":
                return set(ast.literal_eval(said.slice))
            return set[str]().union(*map(words, given(place.function, name, path)))
    pytest.fail(f"{place}: it cannot be read from the sources what it may be")


@cache
def kinds() -> list[str]:
    """All of them."""
    return sorted(set[str]().union(*map(words, appended())))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_entry_has_its_words(language: str) -> None:
    """In the auditor's language."""
    t = Texts(language)
    keys = {
        kind: f"step.{kind[6:]}" if kind.startswith("alert.") else f"audit_kind.{kind}" for kind in kinds()
    }
    assert [kind for kind, key in keys.items() if not t.has(key)] == []


def test_the_search_itself_finds_what_is_appended() -> None:
    """By a literal, by a constant of another module, through functions, and as a family with its steps."""
    assert {
        "export", "audit.key", "event.accepted", "message.refused", "login.refused", "notice.look", "notice.rating",
        "push.gone", "feedback.withdraw", "feedback.propose", "shelf.end", "thresholds.revert", "model.rolled_back",
        "permit.prolong", "alert.dispatch", "reply.taken",
    } <= set(kinds())  # fmt: skip
