"""The documentation: its links, paths and names exist, its commands parse, its code runs."""

import argparse
import json
import re
import runpy
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
import reference
from commands import run_in_process
from packaging.requirements import Requirement

from data.paths import PRETRAINED
from hpo.cli.flags import RENAMED_FLAGS
from hpo.cli.retrain_output import result_table
from hpo.refit.result import RetrainResult

ROOT = Path(__file__).parents[1]
README, CHANGELOG = ROOT / "README.md", ROOT / "CHANGELOG.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("results/*/*.md")])
TEXTS = {page: page.read_text() for page in PAGES}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
BENCHMARK_FLAGS = "".join(
    (ROOT / path).read_text() for path in ("benchmarks/harness.py", "hpo/cli/flags.py")
)

COMMAND = re.compile(r"(?:^|`|\$ |exec )(uv run \w[\w/]*\.py[^`\n]*)", re.MULTILINE)
COMMENT = re.compile(r"\s{3,}|  #")  # what follows a command in a code block
MODULE = r"`((?:data|model|hpo|docs|benchmarks|tests|results)/[\w/.-]*)`"
PLACEHOLDER = re.compile(r"[…{}\[\]]")  # a command with one shows a form, not an example
UNTESTED = ("pillow-heif",)  # not in the dev group

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands_in(text: str) -> list[list[str]]:
    """Return the words of every ``uv run SCRIPT.py …``, from the script on, without comments."""
    commands = COMMAND.findall(text.replace("\\\n", " "))
    return [shlex.split(COMMENT.split(command)[0].rstrip(" .,:;)"))[2:] for command in commands]


@cache
def script_parser(script: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = runpy.run_path(str(ROOT / script), run_name="docs")["flags"]()
    return parser


def known_flags(script: str) -> set[str]:
    if Path(script).stem in reference.SCRIPTS:
        return set(script_parser(script)._option_string_actions)
    return set(re.findall(r"--[\w-]+", (ROOT / script).read_text() + BENCHMARK_FLAGS))


def anchor(heading: str) -> str:
    """Return the anchor that a Markdown viewer gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def blocks_in(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@each_page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if "://" not in link:
            path, _, heading = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            if heading:
                headings = re.findall(r"(?m)^#+ (.*)$", target.read_text())
                assert heading in map(anchor, headings), link


@each_page
def test_paths_exist(page: Path) -> None:
    missing = {path for path in re.findall(MODULE, TEXTS[page]) if not (ROOT / path).exists()}
    assert missing == set()


@each_page
def test_names_are_defined_in_the_modules_that_the_text_says(page: Path) -> None:
    for name, path in re.findall(rf"`([\w.]+)` in {MODULE}", TEXTS[page]):
        source = (ROOT / path).read_text()
        for part in name.split("."):
            assert re.search(rf"\b(def|class) {part}\b|^{part}\b.* = ", source, re.M), name


def test_the_page_on_code_lists_every_package() -> None:
    packages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("hpo/*/__init__.py")}
    listed = re.findall(r"(?m)^\| `([\w/]+)/` \|", (ROOT / "docs/code.md").read_text())
    assert {*packages, "data", "model"} == set(listed)


def test_commands_of_all_scripts_are_found() -> None:
    commands = [words for text in TEXTS.values() for words in commands_in(text)]
    assert len(commands) > 40
    assert {words[0] for words in commands} >= {f"{name}.py" for name in reference.SCRIPTS}


@each_page
def test_commands_name_scripts_and_flags_that_exist(page: Path) -> None:
    for script, *words in commands_in(TEXTS[page]):
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags <= known_flags(script), words


@each_page
def test_examples_have_values_that_the_scripts_accept(page: Path) -> None:
    for script, *words in commands_in(TEXTS[page]):
        if Path(script).stem in reference.SCRIPTS and not PLACEHOLDER.search(" ".join(words)):
            try:
                script_parser(script).parse_args(words)
            except SystemExit:
                pytest.fail(f"{script} refuses {' '.join(words)}")


@each_page
def test_renamed_flags_are_not_used(page: Path) -> None:
    flags = set(re.findall(r"--[a-z][\w-]*", TEXTS[page]))
    assert page == CHANGELOG or not flags & set(RENAMED_FLAGS)


def test_the_changelog_lists_every_renamed_flag() -> None:
    rows = re.findall(r"\| `(--\S+)` \| `(--\S+)` \|", TEXTS[CHANGELOG])
    assert dict(rows) == RENAMED_FLAGS


@pytest.mark.parametrize("name", reference.PAGES)
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == reference.PAGES[name](), "uv run docs/reference.py"


@pytest.mark.parametrize("name", reference.SCRIPTS)
def test_every_flag_has_a_help_text(name: str) -> None:
    assert [a.dest for a in script_parser(f"{name}.py")._actions if not a.help] == []


def test_the_python_example_runs() -> None:
    [code] = blocks_in(TEXTS[README], "python")
    names: dict[str, object] = {}
    exec(compile(code, README.name, "exec"), names)
    assert tuple(names["h"].shape) == (2, names["config"].model.units)  # type: ignore[attr-defined]
    assert names["same"].dtype.is_floating_point is False  # type: ignore[attr-defined]


@each_page
def test_shell_and_yaml_blocks_are_valid(page: Path) -> None:
    yaml = pytest.importorskip("yaml")
    for block in blocks_in(TEXTS[page], "bash"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, timeout=10)
    for block in blocks_in(TEXTS[page], "yaml"):
        documents = list(yaml.safe_load_all(block))
        assert all({"apiVersion", "kind"} <= document.keys() for document in documents)


def test_the_comparison_prints_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [(images, shown)] = re.findall(
        r"\$ uv run compare\.py (docs/\S+ docs/\S+)\n(.*)\n", TEXTS[README]
    )
    assert run_in_process(ROOT, monkeypatch, "compare.py", *images.split()) is None
    printed = capsys.readouterr().out.strip()
    number = r"([\d.]+)%"
    assert re.sub(number, "", printed) == re.sub(number, "", shown)
    similarities = [float(re.findall(number, text)[0]) for text in (printed, shown)]
    # The last bits of bfloat16 differ from machine to machine.
    assert similarities[0] == pytest.approx(similarities[1], abs=0.5)


def test_the_readme_shows_the_table_of_the_default_refits() -> None:
    result = RetrainResult.from_dict(json.loads((ROOT / "results/default/result.json").read_text()))
    assert "\n".join(result_table(result).splitlines()[:2]) in TEXTS[README]


def test_the_card_belongs_to_the_pretrained_network() -> None:
    megabytes = PRETRAINED.stat().st_size / 1e6
    assert f"{megabytes:.1f} MB" in TEXTS[ROOT / "results/pretrained/README.md"]


def test_versions_agree() -> None:
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"(?m)^## (\d\S*)$", TEXTS[CHANGELOG])[0] == VERSION


def test_the_tested_versions_satisfy_the_requirements() -> None:
    lines = (ROOT / "tested-versions.txt").read_text().split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "no addresses"
    versions = dict(line.replace("_", "-").split("==") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for extra in project["project"]["optional-dependencies"].values():
        texts += extra
    for requirement in map(Requirement, texts):
        if requirement.name not in (project["project"]["name"], *UNTESTED):
            assert requirement.specifier.contains(versions[requirement.name], prereleases=True)
