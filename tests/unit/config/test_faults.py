"""Every kind of fault is found at its line and key, with a remedy in both languages."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hcawatch.config import check, load
from hcawatch.config.faults import ConfigFaulty, Fault
from hcawatch.config.load import Report
from hcawatch.config.texts import TEXTS
from tests.unit.config.cases import CASES, NET, OF_THE_FILE, WARNINGS, Case

BASE = (Path(__file__).parent / "base.yaml").read_text(encoding="utf-8")
ENV = {"TEST_DATABASE_URL": "postgresql://db/hcawatch", "TEST_NO_URL": "mysql://db"}
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def checked(folder: Path, text: str | bytes) -> Report:
    """A report on a text, as if it stood in a file of that folder."""
    path = folder / "city.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    secret = folder / "open.secret"
    secret.write_text("postgresql://db/hcawatch")
    secret.chmod(0o644)
    return check(path, env=ENV, now=NOW)


def edited(case: Case) -> tuple[str, int]:
    """base.yaml with the case's edit, and the line of its fault."""
    assert BASE.count(case.old) >= 1, f"base.yaml lacks {case.old!r}"
    text = BASE.replace(case.old, case.new, 1)
    if case.code == "missing_key" and case.key == "hcas[0].grade":
        text = text.replace("    grade: III\n", "", 1)
    if case.code == "missing_key" and case.key == "teams":
        start, end = text.index("  - id: team-a"), text.index("permits:")
        text = text[:start] + text[end:]
    marked = [n for n, line in enumerate(text.splitlines(), start=1) if "#!" in line]
    line = case.line or (marked[0] if marked else text[: text.index(case.new)].count("\n") + 1)
    return text.replace("#!", "#"), line


def test_the_base_has_no_faults(tmp_path: Path) -> None:
    """The file that the cases spoil is right, so each fault comes from its edit."""
    report = checked(tmp_path, BASE)
    assert report.faults == ()
    assert report.config is not None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fault_is_found(case: Case, tmp_path: Path) -> None:
    """The fault is named by its code, at its line and key, and says what to do in both languages."""
    text, line = edited(case)
    report = checked(tmp_path, text)
    found = [(fault.code, fault.key, fault.line) for fault in report.faults]
    assert (case.code, case.key, line) in found
    fault = next(f for f in report.faults if (f.code, f.key, f.line) == (case.code, case.key, line))
    for language in ("en", "zh"):
        assert fault.what(language)
        assert fault.remedy(language)
        assert "{" not in fault.what(language) + fault.remedy(language)
    assert fault.severity == ("warning" if case.code in WARNINGS else "error")
    assert (report.config is None) == bool(report.errors)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_mistake_makes_no_crowd(case: Case, tmp_path: Path) -> None:
    """What is wrong once is said once or with its direct consequence, not in a heap of faults."""
    text, _ = edited(case)
    assert len(checked(tmp_path, text).faults) <= 3


def test_every_kind_of_fault_is_tested() -> None:
    """A row of the table without a test would rot unseen."""
    assert {case.code for case in CASES} | OF_THE_FILE | NET == set(TEXTS)
    assert len(TEXTS) >= 30


def test_all_faults_at_once_sorted_by_line(tmp_path: Path) -> None:
    """Faults of shape, of names and of places in one file are all there, in the order of lines."""
    text = (
        BASE.replace("diameter_mm: 813", "diameter_mm: -1")
        .replace("grade: III", "grade: IV")
        .replace("site: hca-01", "site: hca-99")
        .replace("user: li-na", "user: zhang-wei")
        .replace("works_50m", "works_5m")
        .replace("risk: {", "risk: {colour: red, ")
    )
    report = checked(tmp_path, text)
    codes = [fault.code for fault in report.faults]
    assert codes == [
        "out_of_range", "hca_grade_confused", "unknown_site", "user_twice", "permit_violation_unknown",
        "unknown_key",
    ]  # fmt: skip
    lines = [fault.line for fault in report.faults]
    assert lines == sorted(lines)


def test_missing_file(tmp_path: Path) -> None:
    """A file that isn't there is a fault, not an exception."""
    (fault,) = check(tmp_path / "nowhere.yaml", env={}, now=NOW).faults
    assert fault.code == "file_missing"


def test_folder_instead_of_file(tmp_path: Path) -> None:
    """A folder can't be read as a file."""
    (fault,) = check(tmp_path, env={}, now=NOW).faults
    assert fault.code == "file_unreadable"


def test_file_too_large(tmp_path: Path) -> None:
    """A file of 8 MiB and a byte is refused before it is read."""
    (fault,) = checked(tmp_path, b"#" * (8 * 1024 * 1024 + 1)).faults
    assert fault.code == "file_too_large"


def test_not_utf8(tmp_path: Path) -> None:
    """GBK from an old editor is named with its line."""
    (fault,) = checked(tmp_path, "version: 1\ncity: 城市\n".encode("gbk")).faults
    assert (fault.code, fault.line, fault.column) == ("not_utf8", 2, 7)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n"])
def test_empty_file(text: str, tmp_path: Path) -> None:
    """A file without content says so."""
    assert [fault.code for fault in checked(tmp_path, text).faults] == ["empty_file"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "5\n"])
def test_not_a_table(text: str, tmp_path: Path) -> None:
    """A list or a word instead of sections says so."""
    assert [fault.code for fault in checked(tmp_path, text).faults] == ["not_a_table"]


def test_bomb_of_aliases_is_refused_quickly(tmp_path: Path) -> None:
    """A billion laughs are aliases; nothing is expanded."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    assert {fault.code for fault in checked(tmp_path, bomb).faults} == {"alias"}


def test_deep_nesting_is_refused_before_it_is_built(tmp_path: Path) -> None:
    """Brackets without end don't end the process; the parser itself gives up on very many."""
    assert [f.code for f in checked(tmp_path, "[" * 500 + "]" * 500).faults] == ["too_deep"]
    assert [f.code for f in checked(tmp_path, "[" * 100_000).faults] == ["yaml_syntax"]


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    """What leaks into the file doesn't leak into messages too."""
    for edit in (
        ("rtsp://10.20.1.11:554/stream1", "rtsp://admin:hunter2@10.20.1.11/s"),
        ("port: 1883", "password: hunter2"),
    ):
        report = checked(tmp_path, BASE.replace(*edit))
        said = "".join(f.what(lang) + f.remedy(lang) for f in report.faults for lang in ("en", "zh"))
        assert report.errors
        assert "hunter2" not in said


def test_load_raises_with_all_faults(tmp_path: Path) -> None:
    """`load` gives a configuration or one error that carries every fault."""
    path = tmp_path / "city.yaml"
    path.write_text(BASE.replace("grade: III", "grade: IV").replace("to_m: 2000", "to_m: 9000"))
    with pytest.raises(ConfigFaulty, match=r"city\.yaml:13: hcas\[0\]\.grade.*and 1 more") as caught:
        load(path, env=ENV, now=NOW)
    assert [fault.code for fault in caught.value.faults] == ["hca_grade_confused", "hca_beyond_end"]


def test_key_is_written_as_people_write_it() -> None:
    """The key of a fault reads like a path into the file."""
    assert Fault(code="invalid", path=("cameras", 2, "zones", 0, "id")).key == "cameras[2].zones[0].id"
