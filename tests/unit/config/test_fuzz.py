"""Whatever a file holds, checking it gives faults and never an exception."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hcawatch.config.checks.look import Surroundings
from hcawatch.config.load import Report, check_text
from hcawatch.config.schema import Document

BASE_TEXT = (Path(__file__).parent / "base.yaml").read_text(encoding="utf-8")
BASE = yaml.safe_load(BASE_TEXT)
AROUND = Surroundings(
    folder=Path(__file__).parent,
    env={"TEST_DATABASE_URL": "postgresql://db"},
    now=datetime(2026, 11, 24, tzinfo=UTC),
)
FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

words = st.text(max_size=12) | st.sampled_from(
    ["gas-1", "hca-01", "edge-1", "III", "rtsp://10.20.1.1/a", "webcam:0", "rtsp://[::1", "http://10.20.0.1:99999/", "\x00",
     "2026-11-24", "🚜", "{braces}", "..", "/", "-"]
)  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.datetimes() | st.dates()
    | st.sampled_from([0, -1, 1, 5e300, 2**63, 10**400])
)  # fmt: skip
keys = words | st.sampled_from(sorted(Document.model_fields)) | st.sampled_from(
    ["id", "name", "pixel", "lonlat", "members", "user", "en", "password", "polygon_px"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def judged(text: str) -> Report:
    """The report on a text; each fault can be said in both languages."""
    report = check_text(text, path=AROUND.folder / "city.yaml", around=AROUND)
    for fault in report.faults:
        for language in ("en", "zh"):
            assert fault.what(language)
            assert fault.remedy(language)
        assert fault.line >= 1
    assert (report.config is None) == bool(report.errors)
    return report


@FEW
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Random characters are no configuration, and say so."""
    assert judged(text).errors


@FEW
@given(values)
def test_any_data(data: Any) -> None:
    """Random YAML is no configuration, and says so."""
    assert judged(yaml.safe_dump(data, allow_unicode=True)).errors


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, inner in entries for place in places(inner, (*path, key)))]


@settings(FEW, max_examples=250)
@given(st.sampled_from(places(BASE)[1:]), values, st.booleans())
def test_one_value_replaced_anywhere(place: tuple[Any, ...], value: Any, remove: bool) -> None:
    """A right file with any one value replaced, or removed, never ends in an exception."""
    document = yaml.safe_load(BASE_TEXT)
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    if remove:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    judged(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))


@settings(FEW, max_examples=150)
@given(
    st.integers(0, len(BASE_TEXT)),
    st.integers(0, 40),
    st.text(alphabet="\t\n :-[]{}&*#!'\"|>%@`,?aI1.", max_size=4),
)
def test_a_slip_of_the_keyboard(at: int, cut: int, inserted: str) -> None:
    """A right file with some characters cut out or put in never ends in an exception."""
    judged(BASE_TEXT[:at] + inserted + BASE_TEXT[at + cut :])
