"""The house rules: who may import what, and where words are written."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(p for folder in ("data", "model", "hpo") for p in (ROOT / folder).glob("*.py"))
SCRIPTS = [*ROOT.glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
ALLOWED = {"data": {"data"}, "model": {"data", "model"}, "hpo": {"data", "model", "hpo"}}
ONLY_IN = {
    "optuna": ("hpo",),
    "plotly": ("hpo",),
    "optuna_dashboard": ("hpo",),
    "torchvision": ("data",),
    "PIL": ("data",),
    "ray": ("hpo",),
}

# Who draws knows no study, and who reads a study draws nothing.
DRAWS = {"theme", "figures", "space_figures", "maps", "result_figures", "fit_figures", "report"}
CARRIES = {"card_figures"}  # hands figures over to the dashboard


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_imports_go_one_way_and_libraries_stay_in_their_folder(path: Path) -> None:
    folder, names = path.parent.name, imported(path)
    assert names & {"data", "model", "hpo"} <= ALLOWED[folder]
    for library, folders in ONLY_IN.items():
        assert library not in names or folder in folders


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.parent.name == "hpo"], ids=lambda p: p.stem
)
def test_computing_and_drawing_are_separate(path: Path) -> None:
    names = imported(path)
    assert ("plotly" in names) <= (path.stem in DRAWS | CARRIES)
    assert ("optuna" in names) <= (path.stem not in DRAWS)
    assert ("optuna_dashboard" in names) <= (path.stem in CARRIES | {"notes", "serve"})


def test_no_module_is_much_over_200_lines() -> None:
    lengths = {p: len(p.read_text().splitlines()) for p in [*MODULES, *SCRIPTS]}
    assert {p.name: n for p, n in lengths.items() if n > 230} == {}


def test_every_deviation_named_in_the_code_is_listed_in_the_documentation() -> None:
    listed = set(re.findall(r"\*\*(D\d+)\*\*", (ROOT / "docs/deviations.md").read_text()))
    named = {n for path in MODULES for n in re.findall(r"Deviation\s+(D\d+)", path.read_text())}
    assert named <= listed
    assert len(named) >= 10
