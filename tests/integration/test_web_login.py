"""Logging in and out: what a stranger can't get, and what a colleague doesn't lose."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from monitor.domain.roles import Role
from monitor.web import people
from monitor.web.access import COOKIE
from tests.doubles.web_town import CHEAP, EDGE_TOKENS, PASSWORD, Town, town

ORIGIN = {"origin": "http://testserver"}


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as one:
        yield one


def log_in(client: TestClient, user: str = "operator", password: str = PASSWORD, **form: str) -> int:
    return client.post(
        "/login", data={"user": user, "password": password, **form}, headers=ORIGIN
    ).status_code


def entries(here: Town, kind: str) -> list[dict[str, object]]:
    with here.pool.connection() as conn:
        return conn.execute("SELECT subject, actor FROM audit_entry WHERE kind = %s", (kind,)).fetchall()


def test_the_form_gives_a_cookie_that_scripts_and_other_sites_cannot_use(
    client: TestClient, here: Town
) -> None:
    """HttpOnly, SameSite=Strict; and Secure where the entry point says that there is TLS."""
    answer = client.post("/login", data={"user": "operator", "password": PASSWORD}, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    with TestClient(here.app(cookie_secure=True), follow_redirects=False) as behind_tls:
        answer = behind_tls.post("/login", data={"user": "operator", "password": PASSWORD}, headers=ORIGIN)
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" in answer.headers


def test_everybody_arrives_at_their_first_page(client: TestClient) -> None:
    """The room at the console, the field at its dispatches, the auditor at the log."""
    for user, home in [
        ("operator", "/"),
        ("admin", "/"),
        ("li.wei", "/field"),
        ("auditor", "/audit"),
        ("holder", "/permits"),
    ]:
        client.cookies.clear()
        answer = client.post("/login", data={"user": user, "password": PASSWORD}, headers=ORIGIN)
        assert answer.headers["location"] == home
        assert client.get(home).status_code == 200


def test_a_wrong_name_and_a_wrong_password_look_the_same(client: TestClient) -> None:
    """Nobody learns which names exist."""
    wrong = client.post("/login", data={"user": "operator", "password": "wrong"}, headers=ORIGIN)
    unknown = client.post("/login", data={"user": "operatox", "password": "wrong"}, headers=ORIGIN)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace("operator", "operatox") == unknown.text
    assert "set-cookie" not in wrong.headers


def test_passwords_and_tokens_are_stored_as_hashes_only(client: TestClient, here: Town) -> None:
    """Whoever reads the database can't log in with what stands there."""
    token = client.post("/api/v1/login", json={"user": "operator", "password": PASSWORD}).json()["token"]
    with here.pool.connection() as conn:
        stored = str([
            conn.execute("SELECT * FROM app_user").fetchall(),
            conn.execute("SELECT * FROM app_session").fetchall(),
            conn.execute("SELECT * FROM edge_credential").fetchall(),
            [bytes(row["body"]) for row in conn.execute("SELECT body FROM audit_entry").fetchall()],
        ])  # fmt: skip
    assert "$argon2id$" in stored
    for secret in (PASSWORD, token, *EDGE_TOKENS.values()):
        assert secret not in stored


def test_guessing_is_slowed_down_and_told_so(client: TestClient, here: Town) -> None:
    """The sixth try in five minutes waits, even with the right password; later it is free again."""
    assert [log_in(client, password="guess") for _ in range(6)] == [401] * 5 + [429]
    refused = client.post("/api/v1/login", json={"user": "operator", "password": PASSWORD})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 300
    assert log_in(client, user="supervisor") == 303, "a colleague at the same desk is not locked out"
    here.now += timedelta(minutes=5)
    client.cookies.clear()
    assert log_in(client) == 303


def test_sessions_end(client: TestClient, here: Town) -> None:
    """After a shift, after logging out, and after a new password."""
    log_in(client)
    assert client.get("/").status_code == 200
    here.now += timedelta(hours=12)
    assert client.get("/").status_code == 303, "the shift is over"
    log_in(client)
    session = dict(client.cookies)
    assert client.post("/logout", headers=ORIGIN).status_code == 303
    client.cookies.update(session)
    assert client.get("/").status_code == 303, "the old cookie is worth nothing"
    log_in(client)
    with here.pool.connection() as conn:
        people.set_password(conn, "operator", "another password", hasher=CHEAP)
    assert client.get("/").status_code == 303, "a new password ends all sessions"
    assert log_in(client, password=PASSWORD) == 401
    assert log_in(client, password="another password") == 303


def test_a_foreign_page_can_do_nothing_in_my_name(client: TestClient) -> None:
    """CSRF: an unsafe request with my cookie needs our own origin; also logging in (as somebody else)."""
    log_in(client)
    steps = "/api/v1/alerts/019a0000-0000-7000-8000-00000000dead/steps"
    evil = {"origin": "https://evil.example"}
    assert client.post(steps, json={"step": "confirm"}, headers=evil).status_code == 403
    assert client.post(steps, json={"step": "confirm"}).status_code == 403
    assert client.post(steps, json={"step": "confirm"}, headers=ORIGIN).status_code == 404
    assert client.post("/logout", headers=evil).status_code == 403
    client.cookies.clear()
    assert (
        client.post("/login", data={"user": "operator", "password": PASSWORD}, headers=evil).status_code
        == 403
    )
    assert client.post("/login", data={"user": "operator", "password": PASSWORD}).status_code == 403


def test_logins_are_in_the_audit_log(client: TestClient, here: Town) -> None:
    """Who logged in, who tried and who left, without the password."""
    log_in(client, password="guess")
    log_in(client)
    client.post("/logout", headers=ORIGIN)
    assert entries(here, "login") == [{"subject": "operator", "actor": "operator"}]
    assert [row["subject"] for row in entries(here, "login.refused")] == ["operator"]
    assert [row["subject"] for row in entries(here, "logout")] == ["operator"]


def test_an_edges_token_is_not_a_persons_login(client: TestClient) -> None:
    """A stolen edge token opens no page and no list, and no cookie takes it."""
    headers = {"authorization": f"Bearer {EDGE_TOKENS['e1']}"}
    assert client.get("/api/v1/alerts", headers=headers).status_code == 403
    client.cookies.set(COOKIE, EDGE_TOKENS["e1"])
    assert client.head(f"/api/v1/evidence/{'a' * 64}").status_code == 401


def test_ensure_user_is_repeatable(here: Town) -> None:
    """A second start leaves password and sessions alone, and brings role and team up to date."""
    with here.pool.connection() as conn:
        token = people.open_session(conn, "operator", now=here.now, lives_s=60)
        again = people.ensure_user(
            conn, "operator", Role.SUPERVISOR, "Olga", None, PASSWORD, now=here.now, hasher=CHEAP
        )
        assert again is False
        found = people.of_session(conn, token, now=here.now)
    assert found is not None
    assert (found.role, found.display_name) == (Role.SUPERVISOR, "Olga")


@pytest.mark.parametrize(
    ("role", "password"),
    [(Role.EDGE, PASSWORD), (Role.SYSTEM, PASSWORD), (Role.OPERATOR, "short"), (Role.OPERATOR, "x" * 1025)],
)
def test_what_nobody_may_be(here: Town, role: Role, password: str) -> None:
    """Machines don't get passwords, and people get no bad ones."""
    with here.pool.connection() as conn, pytest.raises(people.PeopleError):
        people.ensure_user(conn, "new", role, "New", None, password, now=here.now, hasher=CHEAP)


def test_a_password_of_a_megabyte_costs_nothing(client: TestClient) -> None:
    """Hashing is not offered for whatever somebody sends."""
    assert client.post(
        "/api/v1/login", json={"user": "operator", "password": "x" * 1_000_000}
    ).status_code in (413, 422)


def test_language_switch(client: TestClient) -> None:
    """The browser's language by default, the switch's afterwards; the way back stays on this server."""
    assert 'lang="zh-Hans"' in client.get("/login", headers={"accept-language": "zh-CN,zh"}).text
    assert 'lang="en"' in client.get("/login").text
    answer = client.get("/language/zh?next=/login")
    assert answer.headers["location"] == "/login"
    assert 'lang="zh-Hans"' in client.get("/login").text
    assert client.get("/language/zh?next=//evil.example").headers["location"] == "/"
