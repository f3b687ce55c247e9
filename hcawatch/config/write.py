"""A document back to YAML as a person would write it: defaults left out, points and small tables on one line."""

from typing import Any

import yaml

from hcawatch.config.schema import Document

SCHEMA_LINE = "# yaml-language-server: $schema={schema}\n"
#: tables with only plain values and at most so many keys go on one line
_SHORT = 4


class _Flow(dict[str, Any]):
    """A table that is written on one line."""


class _FlowList(list[Any]):
    """A list that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Block style, but for the two classes above; never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _flow_map(dumper: yaml.SafeDumper, data: _Flow) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


def _flow_list(dumper: yaml.SafeDumper, data: _FlowList) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Dumper.add_representer(_Flow, _flow_map)
_Dumper.add_representer(_FlowList, _flow_list)


def to_yaml(body: dict[str, Any], *, head: str = "") -> str:
    """`config_version.body` as a file that `load` takes and that gives the same document."""
    document = Document.model_validate(body)
    short = document.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    text = yaml.dump(_styled(short), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    first = f"# {' '.join(head.split())}\n" if head else ""
    return first + text


def _styled(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {key: _styled(entry) for key, entry in value.items()}
        plain = all(not isinstance(entry, dict) or isinstance(entry, _Flow) for entry in inner.values())
        block = any(isinstance(entry, list) and not isinstance(entry, _FlowList) for entry in inner.values())
        return _Flow(inner) if plain and not block and len(inner) <= _SHORT else inner
    if isinstance(value, list):
        entries = [_styled(entry) for entry in value]
        return _FlowList(entries) if all(not isinstance(entry, dict | list) for entry in entries) else entries
    return value
