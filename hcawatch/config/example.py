"""What `hcawatch config example` and `hcawatch config schema` print."""

import json
from importlib import resources

from hcawatch.config.schema import Document

SCHEMA_FILE = "hcawatch-config.schema.json"


def example_text() -> str:
    """A commented configuration with one of everything."""
    return resources.files("hcawatch.config").joinpath("example.yaml").read_text(encoding="utf-8")


def json_schema() -> str:
    """The JSON Schema of the file, for editors; docs/schemas/ holds the same."""
    schema = Document.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "hcawatch.yaml"
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
