"""What is hashed of an entry: canonical JSON that anybody can read back."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.audit import canonical
from monitor.audit.entries import Entry, read
from monitor.audit.errors import AuditError
from monitor.audit.tree import leaf_hash

AT = datetime(2026, 11, 24, 16, 0, 0, 5, tzinfo=timezone(timedelta(hours=8)))


def entry(**body: object) -> Entry:
    return Entry(kind="alert.transition", subject="alert:1", actor="user:li", at=AT, body=body)


def test_the_bytes() -> None:
    """Sorted keys, no spaces, UTC, text as it is: fixed for ever, since hashes depend on it."""
    assert (
        entry(note="挖掘机", n=1, x=1.50).canonical()
        == (
            '{"actor":"user:li","at":"2026-11-24T08:00:00.000005Z","body":{"n":1,"note":"挖掘机","x":1.5},'
            '"kind":"alert.transition","schema":"hcawatch.audit/1","subject":"alert:1"}'
        ).encode()
    )
    assert entry().leaf_hash() == leaf_hash(entry().canonical())


def test_times_and_ids_in_the_body_become_text() -> None:
    """Whoever writes an entry need not convert."""
    body = read(entry(id=UUID(int=1), at=datetime(2026, 1, 1, tzinfo=UTC)).canonical()).body
    assert body == {"id": "00000000-0000-0000-0000-000000000001", "at": "2026-01-01T00:00:00Z"}


@given(
    st.dictionaries(
        st.text(max_size=5).filter(lambda s: s.isprintable()),
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text(max_size=9)
        | st.floats(allow_nan=False, allow_infinity=False),
    )
)
@example(b={"x": 1e17, "y": [-5e20], "z": 2.0**53})  # written without a point, and no integers for that
def test_reading_back_gives_the_same_bytes(b: dict[str, object]) -> None:
    """And never a line break, which would split a line of a bundle."""
    try:
        data = entry(b=b).canonical()
    except AuditError:
        return
    assert b"\n" not in data
    assert read(data).canonical() == data


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    """At once, in the transaction that would have written it."""
    with pytest.raises(AuditError):
        entry(value=value).canonical()


def test_a_time_without_zone_is_refused() -> None:
    """It would mean another moment on another machine."""
    with pytest.raises(AuditError, match="aware"):
        Entry(kind="k", subject="s", actor="a", at=datetime(2026, 1, 1)).canonical()  # noqa: DTZ001


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"schema":"other/1"}', entry().canonical() + b" "]
)
def test_other_bytes_are_no_entry(data: bytes) -> None:
    """Also the same JSON written otherwise."""
    with pytest.raises(AuditError):
        read(data)


def test_an_integer_that_canonical_json_cannot_say_is_none_when_read() -> None:
    """2^53 + 1 was never written by a canonical writer, since no double holds it."""
    data = entry(x=1).canonical().replace(b'"x":1', b'"x":9007199254740993')
    with pytest.raises(AuditError, match="not canonical"):
        read(data)


#: JSON values with every kind of number and of key
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1e-4, 9.99e-5, 1e15, 1e15 + 0.5, 1e16, 1e21, 121.47352, -3.25])
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
@example({"\U0001f600": 1, "\uffff": 2, "a": [1.0, "\x1f\x7f\u2028"]})
def test_the_fast_way_writes_the_bytes_of_the_standard(value: object) -> None:
    """Whoever checks the log with another implementation of RFC 8785 finds the same bytes."""
    assert canonical.dumps(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {"a": [-(2**53)]}, "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    """As before: an entry that cannot be written is no entry."""
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical.dumps(value)
