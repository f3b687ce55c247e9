"""Plain data to a typed `Document`, with a fault for each value of the wrong shape.

So that all faults show at once, what is wrong is replaced by a stand-in and remembered as faulty: the
checks of meaning then run on the rest, and what they say of a faulty place is dropped.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hcawatch.config.faults import Fault, Path, clipped, nearest
from hcawatch.config.schema import SUPPORTED_VERSION, Document, Section
from hcawatch.config.yamldoc import Parsed

#: what people and tools call secrets; such a key gets its own remedy
_SECRETS: Final = frozenset({"password", "passwd", "pwd", "secret", "token", "api_key", "url", "dsn"})

_EXPECTED: Final = {
    "string_type": ("a text", "文本"),
    "int_type": ("a whole number", "整数"),
    "int_from_float": ("a whole number", "整数"),
    "float_type": ("a number", "数字"),
    "finite_number": ("a finite number", "有限数字"),
    "bool_type": ("true or false", "true 或 false"),
    "list_type": ("a list", "列表"),
    "model_type": ("a table of keys", "由键组成的表"),
    "dict_type": ("a table of keys", "由键组成的表"),
}
_MOMENT: Final = ("a date and time such as 2026-11-24 08:00", "日期时间，例如 2026-11-24 08:00")
_POINT: Final = ("a pair [longitude, latitude]", "[经度, 纬度]")
_POINT_PX: Final = ("a pair [x, y]", "[x, y]")
_LIMITS: Final = {"greater_than": ("gt", ">"), "greater_than_equal": ("ge", "≥"),
                  "less_than": ("lt", "<"), "less_than_equal": ("le", "≤")}  # fmt: skip

#: an entry of each list section in which nothing is wrong, used where something is
_STAND_INS: Final[dict[str, Any]] = {
    "version": SUPPORTED_VERSION,
    "city": {"name": "?"},
    "pipelines": {"id": "stand-in", "name": "?", "centreline": []},
    "hcas": {"id": "stand-in", "pipeline": "?", "name": "?", "grade": "I", "from_m": 0.0, "to_m": 0.0},
    "edges": {"id": "stand-in", "name": "?"},
    "cameras": {"id": "stand-in", "edge": "?", "site": "?", "name": "?", "source": "?"},
    "teams": {"id": "stand-in", "name": "?", "members": []},
    "permits": {"number": "?", "violation": "?", "pipeline": "?", "from_m": 0.0, "to_m": 0.0,
                "valid_from": "2000-01-01", "valid_to": "2000-01-01", "company": "?"},
    "channels": {"id": "stand-in", "kind": "mqtt"},
    "contacts": {"id": "stand-in", "name": "?", "addresses": {}},
    "holidays": {"first": "2000-01-01"},
    "schedules": {"id": "stand-in", "hours": [{"begin": "00:00", "end": "24:00"}]},
}  # fmt: skip
_LISTS: Final = (
    "pipelines",
    "hcas",
    "edges",
    "cameras",
    "teams",
    "permits",
    "schedules",
    "channels",
    "contacts",
    "holidays",
)
_ROUNDS: Final = 4


@dataclass(slots=True)
class Shaped:
    """A document that is whole, or stands in for one that isn't."""

    document: Document
    faults: list[Fault] = field(default_factory=list)
    #: places where the document isn't what the file says
    faulty: set[Path] = field(default_factory=set)

    def is_faulty(self, path: Path) -> bool:
        """Whether `path` lies at or below a faulty place."""
        return any(path[:length] in self.faulty for length in range(len(path) + 1))


def shape(parsed: Parsed) -> Shaped | None:
    """The document of `parsed.data`; None (with faults in `parsed`) if nothing can be made of it."""
    if not isinstance(parsed.data, dict):
        code = "empty_file" if parsed.data is None else "not_a_table"
        parsed.faults.append(Fault(code=code, facts={"found": clipped(parsed.data)}))
        return None
    data = copy.deepcopy(parsed.data)
    faults: list[Fault] = []
    faulty: set[Path] = set()
    for attempt in range(_ROUNDS):
        try:
            return Shaped(Document.model_validate(data), faults, faulty)
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=True)
        for error in errors:
            for path in _paths_of(error, data):
                if attempt == 0:
                    faults.append(_fault(error, path, parsed))
                _mend(error, path, data, faulty)
    parsed.faults.extend(faults)  # cannot be mended: say what was found
    return None


def _path_of(error: ErrorDetails, data: Any) -> Path:
    """pydantic's location without its own tags: only what stands in the file, or is missing there."""
    path: list[str | int] = []
    here = data
    location = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    for step in location:
        if isinstance(here, dict) and step in here:
            path.append(step)
            here = here[str(step)]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            path.append(step)
            here = here[step]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    return tuple(path)


def _paths_of(error: ErrorDetails, data: Any) -> list[Path]:
    """Where it is. Unknown keys are looked up in the table: pydantic names some ('0') as numbers."""
    path = _path_of(error, data)
    if error["type"] != "extra_forbidden":
        return [path]
    table = _at(data, path)
    model = _model_at(path)
    known = model.model_fields if model is not None else {}
    return [(*path, key) for key in table if key not in known] if isinstance(table, dict) else []


def _mend(error: ErrorDetails, path: Path, data: dict[str, Any], faulty: set[Path]) -> None:
    """Take an unknown key away, or put a stand-in over the smallest field that has one."""
    if error["type"] == "extra_forbidden":
        _parent(data, path).pop(path[-1], None)
        return
    section = path[0] if path else "version"
    if section not in _LISTS:
        depth = 2 if section in ("city", "centre") and len(path) > 1 else 1
        place = path[:depth]
        faulty.add(place)
        target = data if depth == 1 else data[str(section)]
        stand_in = (
            _STAND_INS.get(str(section)) if depth == 1 else _STAND_INS.get(str(section), {}).get(path[1])
        )
        _replace(target, str(place[-1]), stand_in)
        return
    entry = _STAND_INS[str(section)]
    if len(path) == 1:
        faulty.add(path)
        data[str(section)] = [copy.deepcopy(entry)]
    elif len(path) == 2:
        faulty.add(path)
        data[str(section)][path[1]] = copy.deepcopy(entry)
    else:
        faulty.add(path[:3])
        _replace(data[str(section)][path[1]], str(path[2]), copy.deepcopy(entry.get(path[2])))


def _replace(table: dict[str, Any], key: str, stand_in: Any) -> None:
    if stand_in is None:
        table.pop(key, None)
    else:
        table[key] = stand_in


def _parent(data: Any, path: Path) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


def _at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fault(error: ErrorDetails, path: Path, parsed: Parsed) -> Fault:
    kind = error["type"]
    context = error.get("ctx", {})
    found = clipped(_at(parsed.data, path))
    last = path[-1] if path else ""
    if kind == "extra_forbidden":
        return _unknown_key(path, parsed)
    if kind == "missing":
        return parsed.fault("missing_key", path, name=last)
    if kind == "literal_error":
        return _wrong_choice(path, found, parsed)
    if kind in _LIMITS:
        name, sign = _LIMITS[kind]
        return parsed.fault("out_of_range", path, found=found, limit=f"{sign} {context[name]:g}")
    if kind == "too_short" and context["min_length"] == 1:
        return parsed.fault("empty_list", path)
    if kind in ("too_short", "too_long") and _expects_pair(path):
        return parsed.fault("list_length", path, found=context["actual_length"], expected=2)
    if kind in ("too_long", "string_too_long"):
        return parsed.fault("out_of_range", path, found=found, limit=f"length ≤ {context['max_length']}")
    if kind == "string_too_short":
        return parsed.fault("empty_text", path)
    if kind == "string_pattern_mismatch" and last in ("begin", "end"):
        return parsed.fault("bad_clock", path, found=found)
    if kind == "string_pattern_mismatch" and not str(last).endswith("_env"):
        return parsed.fault("bad_id", path, found=found)
    expected = _expected(kind, path)
    if expected is not None:
        return parsed.fault(
            "wrong_type", path, expected=expected[0], expected_zh=expected[1], found=found or "''"
        )
    return parsed.fault("invalid", path, reason=error["msg"])


def _expects_pair(path: Path) -> bool:
    return any(
        step in ("position", "base", "lonlat", "pixel", "centreline", "polygon_px", "frame_size_px")
        for step in path[-2:]
    )


def _expected(kind: str, path: Path) -> tuple[str, str] | None:
    if kind.startswith(("datetime", "date_", "timezone")):
        return _MOMENT
    if kind == "list_type" and _expects_pair(path) and path[-1] not in ("centreline", "polygon_px"):
        return _POINT_PX if any(step in ("pixel", "polygon_px", "frame_size_px") for step in path) else _POINT
    return _EXPECTED.get(kind)


def _wrong_choice(path: Path, found: str, parsed: Parsed) -> Fault:
    if path == ("version",):
        return parsed.fault("version_unsupported", path, found=found, supported=SUPPORTED_VERSION)
    if path[-1] == "grade":
        return parsed.fault("hca_grade_confused", path, found=found)
    choices = [str(choice) for choice in _choices(path)]
    near = nearest(found, choices)
    code = "wrong_choice_near" if near else "wrong_choice"
    return parsed.fault(code, path, found=found, near=near, choices=", ".join(choices))


def _unknown_key(path: Path, parsed: Parsed) -> Fault:
    name = str(path[-1])
    if name.lower() in _SECRETS:
        return parsed.fault("secret_in_file", path, name=name)
    model = _model_at(path[:-1])
    known = list(model.model_fields) if model is not None else []
    near = nearest(name, known)
    code = "unknown_key_near" if near else "unknown_key"
    return parsed.fault(code, path, name=clipped(name), near=near, known=", ".join(known))


def _model_at(path: Path) -> type[Section] | None:
    model: type[Section] | None = Document
    for step in path:
        if isinstance(step, str) and model is not None:
            known = model.model_fields.get(step)
            model = next(_models_in(known.annotation), None) if known is not None else None
    return model


def _models_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _choices(path: Path) -> list[Any]:
    model = _model_at(path[:-1])
    known = model.model_fields.get(str(path[-1])) if model is not None else None
    return list(_literals_in(known.annotation)) if known is not None else []


def _literals_in(annotation: Any) -> Iterator[Any]:
    for argument in get_args(annotation):
        if isinstance(argument, str | int):
            yield argument
        elif not isinstance(argument, type):
            yield from _literals_in(argument)
