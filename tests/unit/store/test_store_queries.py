"""The loader of named queries, and the choice of what to migrate."""

import pytest

from monitor.store.errors import QueryFileError, SchemaMismatchError
from monitor.store.migrate import Migration, known_migrations, pending
from monitor.store.queries import Queries, parse

ONE, TWO = Migration("0001_init", "CREATE TABLE a ();"), Migration("0002_more", "CREATE TABLE b ();")


def test_blocks_are_found_by_name() -> None:
    """With their comment, up to the next name."""
    found = parse(
        "-- head\n\n-- one --\n-- What it does.\nSELECT 1;\n\n-- two --\n-- Another.\nSELECT 2;\n", "x.sql"
    )
    assert {name: query.as_string(None) for name, query in found.items()} == {
        "one": "-- What it does.\nSELECT 1;", "two": "-- Another.\nSELECT 2;",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [("-- one --\nSELECT 1;\n-- one --\nSELECT 2;", "twice"), ("-- one --\n-- Only words.\n", "no SQL")],
)
def test_a_faulty_file_is_named(text: str, said: str) -> None:
    """At import, not when the query is needed at night."""
    with pytest.raises(QueryFileError, match=said):
        parse(text, "x.sql")


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A typo is found by reading the message."""
    with pytest.raises(QueryFileError, match="applied_migrations"):
        Queries("monitor.store")["aplied"]


def test_what_is_missing_is_applied_in_order() -> None:
    """Nothing twice."""
    assert pending([ONE, TWO], []) == (ONE, TWO)
    assert pending([ONE, TWO], [(ONE.name, ONE.sha256)]) == (TWO,)
    assert pending([ONE, TWO], [(ONE.name, ONE.sha256), (TWO.name, TWO.sha256)]) == ()


def test_a_newer_database_is_refused() -> None:
    """By name, with what to do."""
    with pytest.raises(SchemaMismatchError, match=r"0002_more.*newer release"):
        pending([ONE], [(ONE.name, ONE.sha256), (TWO.name, TWO.sha256)])


def test_a_database_of_another_text_is_refused() -> None:
    """A migration was rewritten after it had been applied."""
    with pytest.raises(SchemaMismatchError, match="another text"):
        pending([ONE], [(ONE.name, TWO.sha256)])


def test_no_two_migrations_have_one_number() -> None:
    """Two people who add one each find out at once. (A gap is one that was given to somebody and is not here yet.)"""
    numbers = [int(migration.name[:4]) for migration in known_migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
