"""docs/configuration.md, made of the schema and the table of faults:
`python -m hcawatch.config.reference > docs/configuration.md`."""

import sys
from collections.abc import Iterator
from typing import Any

from hcawatch.config.schema import Document
from hcawatch.config.texts import TEXTS

_HEAD = """# Configuration

Made of the schema and the table of faults by `python -m hcawatch.config.reference > docs/configuration.md`;
a test compares. `hcawatch config example` prints a commented file; [minimal.yaml](../examples/minimal.yaml) is
the shortest one, [city.yaml](../examples/city.yaml) a whole made-up city.
`hcawatch config schema` prints the [JSON Schema](schemas/hcawatch-config.schema.json), by which editors complete
and check while one types (first line of the file: `# yaml-language-server: $schema=…`).

- Lengths are metres, positions `[longitude, latitude]` in degrees WGS84, picture coordinates pixels of the full frame.
- A name is plain text or `{en: …, zh: …}`. File paths are relative to the YAML file.
- No secret stands in the file: a camera names its `credential`, addresses with passwords come from `*_env` or `*_file`.
- `hcawatch check FILE` names every fault at once. Each process needs only its own secrets and files: an edge no
  database address, the centre no edge's footage.
- What runs is in the database as numbered versions: `hcawatch config show`, `diff`, `apply`, `export`.
"""


def markdown() -> str:
    """The page."""
    schema = Document.model_json_schema()
    lines = [_HEAD, "## Keys", "", "| key | type | default | what |", "|---|---|---|---|"]
    lines += list(_rows(schema, schema["$defs"], "", set(schema["required"])))
    lines += [
        "",
        "## Faults that `hcawatch check` finds",
        "",
        "| code | what it says | 说明 | what to do |",
        "|---|---|---|---|",
    ]
    for code, text in TEXTS.items():
        mark = " (warning)" if text.severity == "warning" else ""
        lines.append(f"| `{code}`{mark} | {_cell(text.en)} | {_cell(text.zh)} | {_cell(text.en_remedy)} |")
    return "\n".join(lines) + "\n"


def _rows(table: dict[str, Any], models: dict[str, Any], above: str, required: set[str]) -> Iterator[str]:
    for name, field in table["properties"].items():
        place = f"{above}{name}"
        model, many = _model_of(field, models)
        default = (
            "**needed**"
            if name in required
            else f"`{field['default']}`"
            if field.get("default") not in (None, "")
            else ""
        )
        if model is not None and name not in ("name",):
            default = "**needed**" if name in required else ""
        yield f"| `{place}` | {_type_of(field, models)} | {default} | {_cell(field.get('description', ''))} |"
        if model is not None and name != "name":
            inner = f"{place}[]." if many else f"{place}."
            yield from _rows(model, models, inner, set(model.get("required", ())))


def _model_of(field: dict[str, Any], models: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The table that a field holds, and whether it holds many."""
    if "$ref" in field:
        found = models[field["$ref"].rsplit("/", 1)[1]]
        return (found, False) if "properties" in found else (None, False)
    if field.get("type") == "array" and "items" in field:
        return _model_of(field["items"], models)[0], True
    for option in field.get("anyOf", field.get("oneOf", ())):
        model, many = _model_of(option, models)
        if model is not None:
            return model, many
    return None, False


def _type_of(field: dict[str, Any], models: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{choice}`" for choice in field["enum"])
    if "$ref" in field:
        return "table"
    if options := field.get("anyOf", field.get("oneOf")):
        kinds = [_type_of(option, models) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if field.get("type") == "array":
        return f"list of {_type_of(field['items'], models)}" if "items" in field else "list"
    kind = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}
    limits = [f"{sign} {field[key]:g}" for key, sign in _LIMITS if key in field]
    return " ".join([kind.get(str(field.get("type")), str(field.get("type"))), *limits])


_LIMITS = (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(markdown())
