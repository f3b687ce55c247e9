"""The command line: help everywhere, one clear line for each failure, heavy parts only where needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hcawatch import cli
from hcawatch.cli import app
from hcawatch.commands.common import Lang, language
from hcawatch.commands.reference import helps, markdown

HELPS = [pytest.param(path, text, id=" ".join(path)) for path, text in helps(app)]
LEAVES = [
    pytest.param(path, text, id=" ".join(path)) for path, text in helps(app) if "\nCommands:" not in text
]


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "hcawatch", *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HCAWATCH_DATABASE_URL": "", "HCAWATCH_DEBUG": "", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(env or {})},
    )  # fmt: skip


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr that a failure gives; no traceback."""
    (line,) = result.stderr.splitlines()
    assert line.startswith("hcawatch: ")
    assert "Traceback" not in result.stdout + result.stderr
    return line


def test_all_commands_are_there() -> None:
    """The commands that the documentation names exist."""
    paths = {" ".join(path[1:]) for path, _ in helps(app)}
    assert paths >= {
        "up", "edge", "centre", "check", "demo", "people",
        "audit verify", "audit export", "audit head", "models list", "models predict", "models eval", "models train",
        "grafana write", "grafana apply", "grafana check",
        "config schema", "config example", "config show", "config diff", "config apply", "config export",
        "db migrate", "db status", "db replay", "channels status", "channels test",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "text"), HELPS)
def test_every_command_says_what_it_does(path: tuple[str, ...], text: str) -> None:
    """A sentence after the usage line, and -h for help."""
    lines = text.splitlines()
    assert lines[0].startswith("Usage: ")
    assert len(lines[2].strip()) > 20
    assert "-h, --help" in text


@pytest.mark.parametrize(("path", "text"), LEAVES)
def test_every_command_shows_an_example(path: tuple[str, ...], text: str) -> None:
    """An example that begins with the command itself, unless it needs nothing."""
    if path[1:] == ("models", "list"):
        return
    assert "Examples:" in text
    assert " ".join(path) in text.split("Examples:")[1]


def test_reference_in_docs_is_up_to_date(repository: Path) -> None:
    """docs/commands.md is what the commands say (`python -m hcawatch.commands.reference > docs/commands.md`)."""
    assert (repository / "docs" / "commands.md").read_text(encoding="utf-8") == markdown()


def test_help_loads_no_heavy_part() -> None:
    """`--help` stays quick: no arrays, no database, no web, no models are imported for it."""
    code = (
        "import sys\nfrom hcawatch.cli import run\nrun(['--help'])\n"
        "heavy = {'numpy', 'cv2', 'psycopg', 'pydantic', 'fastapi', 'onnxruntime', 'av', 'yaml', 'pyproj'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stderr.strip() == "[]"


def test_version() -> None:
    """`--version` prints name and number."""
    result = run("--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, "hcawatch")


def test_alone_it_prints_help() -> None:
    """Without a command, and a group without one, help is shown instead of an error."""
    assert "Usage: hcawatch" in run().stdout
    assert run("config").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chek",), "Did you mean 'check'?"),
        (("check",), "CONFIG"),
        (("check", "a.yaml", "--colour"), "--colour"),
        (("up",), "CONFIG"),
        (("config", "apply", "a.yaml"), "--reason"),
        (("demo", "--port", "99999"), "--port"),
    ],
)
def test_wrong_command_lines_exit_with_2(arguments: tuple[str, ...], said: str) -> None:
    """A slip on the command line is one line with what is wrong and where help is."""
    result = run(*arguments)
    assert said in one_line(result)
    assert result.returncode == 2 or arguments == ("up",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("db", "status"), "HCAWATCH_DATABASE_URL"),
        (("db", "status", "--data-dir", "/nowhere"), "runtime.json"),
        (("db", "status", "--database", "postgresql://127.0.0.1:1/x"), "127.0.0.1"),
        (("audit", "verify", "/nowhere.zip"), "/nowhere.zip"),
        (("edge", "examples/minimal.yaml", "--edge", "nix"), "edge-1"),
        (("up", "/nowhere.yaml"), "/nowhere.yaml"),
        (("grafana", "apply", "http://127.0.0.1:1"), "HCAWATCH_GRAFANA_TOKEN"),
        (("models", "predict", "/nowhere.jpg"), "could not be read"),
    ],
)
def test_failures_exit_with_1_and_one_line(
    arguments: tuple[str, ...], said: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be done is one line with what, where and what to do."""
    monkeypatch.chdir(repository)
    result = run(*arguments)
    assert said in one_line(result)
    assert result.returncode == 1


def test_a_fault_of_ours_shows_its_place_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HCAWATCH_DEBUG one line names the error; with it the traceback comes."""

    def broken(**_: object) -> None:
        raise KeyError("cam-1")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.delenv("HCAWATCH_DEBUG", raising=False)
    assert cli.run(["x"]) == 1
    monkeypatch.setenv("HCAWATCH_DEBUG", "1")
    with pytest.raises(KeyError):
        cli.run(["x"])


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells expect."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert cli.run(["x"]) == 130


def test_check_speaks_both_languages(tmp_path: Path) -> None:
    """The language is asked for, or that of LANG."""
    missing = str(tmp_path / "nowhere.yaml")
    assert "there is no file" in run("check", missing).stdout
    assert "不存在" in run("check", missing, "--lang", "zh").stdout
    assert "不存在" in run("check", missing, env={"LC_ALL": "zh_CN.UTF-8"}).stdout


def test_check_tells_file_line_key_and_remedy(tmp_path: Path, repository: Path) -> None:
    """The line reads like a compiler's; exit status 1 with errors, 0 without."""
    path = tmp_path / "city.yaml"
    text = (repository / "examples" / "minimal.yaml").read_text()
    path.write_text(text.replace("grade: III", "grade: IV"))
    result = run("check", str(path))
    assert result.returncode == 1
    assert f"{path}:8:" in result.stdout
    assert "error: hcas[0].grade:" in result.stdout
    assert "→ Write I, II or III" in result.stdout
    path.write_text(text)
    assert run("check", str(path)).returncode == 0


def test_check_as_json(tmp_path: Path, repository: Path) -> None:
    """Machines get every fault with its fields, and the summary of a right file."""
    path = tmp_path / "city.yaml"
    path.write_text("version: 2\n")
    found = json.loads(run("check", str(path), "--json").stdout)
    assert found["summary"] is None
    assert next(fault for fault in found["faults"] if fault["key"] == "version") == {
        "line": 1, "column": 1, "key": "version", "code": "version_unsupported", "severity": "error",
        "what": "version 2 of the file's format isn't supported",
        "remedy": "Write `version: 1`, or install a newer hcawatch.",
    }  # fmt: skip
    right = json.loads(run("check", str(repository / "examples" / "city.yaml"), "--json").stdout)
    assert (right["faults"], right["summary"]["hcas"]) == ([], 29)


def test_example_and_schema_are_printed() -> None:
    """`config example > my.yaml` is a file that checks."""
    assert run("config", "example").stdout.startswith("# yaml-language-server")
    assert json.loads(run("config", "schema").stdout)["title"] == "hcawatch.yaml"


def test_predict_prints_one_json_line_per_picture(repository: Path) -> None:
    """The excavator of our rendered still is found; the line has the fields that anyone can score."""
    picture = repository / "examples" / "stills" / "0002.jpg"
    (line,) = run("models", "predict", str(picture), "--json").stdout.splitlines()
    row = json.loads(line)
    assert row["image"] == str(picture)
    assert set(row["boxes"][0]) == {"class", "score", "xyxy"}
    best = max((box for box in row["boxes"] if box["class"] == "excavator"), key=lambda box: box["score"])
    assert best["score"] > 0.5


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, Lang.EN), ({"LANG": "zh_CN.UTF-8"}, Lang.ZH), ({"LANG": "de_DE"}, Lang.EN),
        ({"LC_ALL": "C", "LANG": "zh_CN"}, Lang.EN), ({"LC_ALL": "", "LANG": "zh_TW"}, Lang.ZH),
    ],
)  # fmt: skip
def test_language_of_the_environment(env: dict[str, str], wanted: Lang) -> None:
    """LC_ALL goes before LANG; what isn't Chinese is English."""
    assert language(None, env) is wanted
    assert language(Lang.ZH, env) is Lang.ZH


def test_completion_completes() -> None:
    """Shells get commands that begin with what was typed."""
    env = {"_HCAWATCH_COMPLETE": "complete_bash", "COMP_WORDS": "hcawatch con", "COMP_CWORD": "1"}
    assert run(env=env).stdout.split() == ["config"]
