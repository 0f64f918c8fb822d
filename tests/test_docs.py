"""The documentation: its links lead somewhere, its commands exist, its code runs."""

import argparse
import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest
import reference
from commands import here

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def commands(page: Path) -> list[list[str]]:
    """Return the words of every `uv run SCRIPT.py …` of a page, without comments and pipes."""
    found = []
    for text in re.findall(
        r"(?:^|`|\$ )(uv run \w[\w/]*\.py[^`\n]*)", page.read_text(), re.MULTILINE
    ):
        text = re.split(r"\s{3,}|  #|\\$", text)[0].rstrip(" .,:;)")
        found.append(shlex.split(text)[2:])
    return found


COMMANDS = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            path, _, heading = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            assert found.exists(), target
            if heading:
                names = re.findall(r"(?m)^#+ (.*)$", found.read_text())
                assert heading in {
                    re.sub(r"[^\w -]", "", n.lower()).replace(" ", "-") for n in names
                }


def test_there_are_commands_to_test() -> None:
    assert len(COMMANDS) > 40
    assert {words[0] for _, words in COMMANDS} >= {f"{name}.py" for name in reference.SCRIPTS}


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=[f"{p.name}: {' '.join(w)[:50]}" for p, w in COMMANDS]
)
def test_commands_name_scripts_and_flags_that_exist(page: Path, words: list[str]) -> None:
    script = ROOT / words[0]
    assert script.exists()
    if script.stem in reference.SCRIPTS:
        parser = runpy.run_path(str(script), run_name="docs")["flags"]()
        known = {flag for action in parser._actions for flag in action.option_strings}
    else:
        known = set(re.findall(r"--[\w-]+", script.read_text() + COMMON))
    for word in words[1:]:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{page.name}: {' '.join(words)}"


COMMON = "".join((ROOT / p).read_text() for p in ("benchmarks/harness.py", "hpo/cli/flags.py"))


@pytest.mark.parametrize("name", reference.PAGES)
def test_what_is_made_from_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == reference.PAGES[name](), "uv run docs/reference.py"


def test_every_flag_is_described() -> None:
    for name in reference.SCRIPTS:
        parser = runpy.run_path(str(ROOT / f"{name}.py"), run_name="docs")["flags"]()
        assert isinstance(parser, argparse.ArgumentParser)
        assert [a.dest for a in parser._actions if not a.help] == []


def test_the_readmes_python_runs() -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    space: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), space)
    assert tuple(space["h"].shape) == (2, space["config"].model.units)  # type: ignore[attr-defined]
    assert space["same"].dtype.is_floating_point is False  # type: ignore[attr-defined]


def test_the_readmes_comparison_says_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text()
    [shown] = re.findall(r"\$ uv run compare\.py (docs/\S+ docs/\S+)\n(.*)\n", text)
    assert here(ROOT, monkeypatch, "compare.py", *shown[0].split()) is None
    said = capsys.readouterr().out.strip()
    number = r"([\d.]+)%"
    assert re.sub(number, "", said) == re.sub(number, "", shown[1])
    found, told = (float(re.findall(number, text)[0]) for text in (said, shown[1]))
    assert found == pytest.approx(told, abs=0.5), "bfloat16 differs from machine to machine"


def test_versions_agree() -> None:
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"(?m)^## (.*)$", (ROOT / "CHANGELOG.md").read_text())[0] == VERSION


def test_the_tested_versions_fit_what_is_asked_for() -> None:
    listed = (ROOT / "tested-versions.txt").read_text().split()
    names = {line.partition("==")[0].replace("_", "-") for line in listed}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    asked += [w for group in project["project"]["optional-dependencies"].values() for w in group]
    for requirement in asked:
        [name] = re.findall(r"^[\w-]+", requirement)
        assert name == "siamese-hpo" or name in names, requirement
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in listed), "no addresses"
