"""YAML text to plain data with the line and column of every value, and the faults of the text itself.

Decides what YAML we take: one document, no anchors or aliases, no tags of one's own, plain keys, bounded
depth. Leaves what the data means to `structure` and `checks`. Nothing here opens a file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from hcawatch.config.faults import Fault, Path

#: A city of 29 HCAs has 30 KB; ten thousand cameras would have 5 MB.
MAX_BYTES: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 16

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTRUCT: Any = yaml.constructor.SafeConstructor()
_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    f"{_TAG}null": _CONSTRUCT.construct_yaml_null,
    f"{_TAG}bool": _CONSTRUCT.construct_yaml_bool,
    f"{_TAG}int": _CONSTRUCT.construct_yaml_int,
    f"{_TAG}float": _CONSTRUCT.construct_yaml_float,
    f"{_TAG}timestamp": _CONSTRUCT.construct_yaml_timestamp,
    f"{_TAG}str": lambda node: node.value,
    # '<<' and '=' as plain words
    f"{_TAG}merge": lambda node: node.value,
    f"{_TAG}value": lambda node: node.value,
}

Mark = tuple[int, int]


@dataclass(slots=True)
class Parsed:
    """What a text says, and where."""

    data: Any = None
    #: line and column (from 1) of each key of a table and each entry of a list
    marks: dict[Path, Mark] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, code: str, path: Path, **facts: object) -> Fault:
        """A fault at `path`, or at the nearest place above it that the text has."""
        known = path
        while known and known not in self.marks:
            known = known[:-1]
        line, column = self.marks.get(known, (1, 1))
        texts = {name: str(value) for name, value in facts.items()}
        return Fault(code=code, path=path, line=line, column=column, facts=texts)


def parse(text: str) -> Parsed:
    """Read `text`. With faults of syntax there is no data; other faults leave data beside them."""
    parsed = Parsed()
    try:
        # libyaml's parser is a loop; only a text that it finds bounded is composed (which recurses)
        parsed.faults.extend(_check_events(text))
        if any(fault.code in _FATAL for fault in parsed.faults):
            return parsed
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as exc:
        parsed.faults.append(_syntax_fault(exc, text))
        return parsed
    if root is None:
        parsed.faults.append(Fault(code="empty_file"))
        return parsed
    parsed.data = _plain(root, (), parsed)
    return parsed


_FATAL: Final = frozenset({"alias", "too_deep", "several_documents"})


def _check_events(text: str) -> list[Fault]:
    """Aliases, depth and number of documents, before anything is built."""
    faults: list[Fault] = []
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        if isinstance(event, yaml.AliasEvent):
            faults.append(Fault(code="alias", line=line, column=column))
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                return [Fault(code="too_deep", facts={"most": str(MAX_DEPTH)}, line=line, column=column)]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:
                faults.append(Fault(code="several_documents", line=line, column=column))
        anchor = getattr(event, "anchor", None)
        if anchor and not isinstance(event, yaml.AliasEvent):
            faults.append(Fault(code="alias", line=line, column=column))
    return faults


def _syntax_fault(exc: yaml.YAMLError, text: str) -> Fault:
    mark = getattr(exc, "problem_mark", None) or getattr(exc, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return Fault(code="tab_indent", line=line, column=here.index("\t") + 1)
    reason = " ".join(str(getattr(exc, "problem", None) or exc).split())
    return Fault(code="yaml_syntax", line=line, column=column, facts={"reason": reason})


def _plain(node: yaml.Node, path: Path, parsed: Parsed) -> Any:
    """The data of one node; marks and faults go into `parsed`."""
    if isinstance(node, yaml.MappingNode):
        return _table(node, path, parsed)
    if isinstance(node, yaml.SequenceNode):
        _check_tag(node, f"{_TAG}seq", path, parsed)
        entries = []
        for index, child in enumerate(node.value):
            parsed.marks[(*path, index)] = _mark(child)
            entries.append(_plain(child, (*path, index), parsed))
        return entries
    construct = _SCALARS.get(node.tag)
    if construct is None:
        parsed.faults.append(_at(node, "yaml_tag", path, tag=node.tag))
        return node.value
    try:
        return construct(node)
    except (ValueError, OverflowError, KeyError, AttributeError, yaml.YAMLError):
        return node.value  # what looked like a number or date and isn't one stays text


def _table(node: yaml.MappingNode, path: Path, parsed: Parsed) -> dict[str, Any]:
    _check_tag(node, f"{_TAG}map", path, parsed)
    table: dict[str, Any] = {}
    for key_node, child in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
            parsed.faults.append(_at(key_node, "key_not_text", path))
            continue
        # the text as it stands: `on`, `no` or `1` are names here
        key = str(key_node.value)
        inner = (*path, key)
        if key in table:
            first = str(parsed.marks[inner][0])
            parsed.faults.append(_at(key_node, "duplicate_key", inner, name=key, first=first))
            continue
        parsed.marks[inner] = _mark(key_node)
        table[key] = _plain(child, inner, parsed)
    return table


def _check_tag(node: yaml.Node, usual: str, path: Path, parsed: Parsed) -> None:
    if node.tag != usual:
        parsed.faults.append(_at(node, "yaml_tag", path, tag=node.tag))


def _mark(node: yaml.Node) -> Mark:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _at(node: yaml.Node, code: str, path: Path, **facts: str) -> Fault:
    line, column = _mark(node)
    return Fault(code=code, path=path, line=line, column=column, facts=facts)
