"""The architecture: rooms that import in one direction, libraries that stay in their rooms."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "data",
    "model",
    "hpo.space",
    "hpo.settings",
    "hpo.study",
    "hpo.search",
    "hpo.runtime",
    "hpo.refit",
    "hpo.report",
    "hpo.dashboard",
    "hpo.paper",
    "hpo.cli",
)
PATHS = sorted(p for folder in ("data", "model", "hpo") for p in (ROOT / folder).rglob("*.py"))
SCRIPTS = [*ROOT.glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
DRAWING = (
    "hpo.report.style",
    "hpo.report.html_page",
    "hpo.report.study.history_plots",
    "hpo.report.study.parallel_plots",
    "hpo.report.study.parameter_plots",
    "hpo.report.studies.plots",
    "hpo.report.retraining.accuracy_plots",
    "hpo.report.retraining.fit_plots",
)
# Library → modules or rooms that may import it.
ONLY_IN = {
    "optuna": ("hpo",),
    "optuna_dashboard": ("hpo.dashboard", "hpo.study.optuna_internals"),
    "plotly": (*DRAWING, "hpo.dashboard.plots"),
    "torchvision": ("data",),
    "PIL": ("data",),
    "ray": ("hpo.runtime.ray_launcher",),
    "psutil": ("hpo.runtime",),
}
# Function-level imports: of libraries that are large or optional, or of a module that imports them.
LAZY = {
    "data.image_files": {"pillow_heif"},
    "data.load": {"torchvision.datasets", "torchvision.datasets.utils"},
    "data.mnist": {"torchvision.datasets"},
    "model.tensorboard_log": {"torch.utils.tensorboard"},
    "hpo.dashboard.updates": {"hpo.dashboard.plots"},
    "hpo.study.optuna_internals": {"optuna_dashboard._note"},
    "hpo.runtime.launcher": {"hpo.runtime.worker"},
    "hpo.runtime.ray_launcher": {"ray", "torch", "hpo.runtime.worker"},
    "hpo.settings.value_types": {"pydantic_core", "model.start_weights"},
    "hpo.settings.config_file": {"pydantic"},
    "hpo.refit.result": {"pydantic"},
    "hpo.cli.console": {"tqdm"},
    "hpo": {"hpo.api"},
    "hpo.cli.study": {"hpo.runtime.ray_launcher"},
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PATHS}


def room_of(module: str) -> str:
    """``hpo.study.open`` → ``hpo.study``, ``data.load`` → ``data``."""
    return next((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), module)


def imports_in(tree: ast.AST) -> Iterator[str]:
    """The modules that a syntax tree imports; ``from package import module`` names the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
IMPORTS = {name: set(imports_in(tree)) for name, tree in TREES.items()}


def is_in(module: str, places: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("module", MODULES)
def test_rooms_import_in_one_direction(module: str) -> None:
    if room_of(module) not in ROOMS:
        return  # hpo itself
    for other in IMPORTS[module] & MODULES.keys():
        assert room_of(other) in ROOMS, f"{module} imports the package {other}"
        assert ROOMS.index(room_of(other)) <= ROOMS.index(room_of(module)), other


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("hpo.")])
def test_other_rooms_import_only_what_a_room_exports(module: str) -> None:
    for other in IMPORTS[module]:
        parts = other.split(".")
        if parts[0] == "hpo" and len(parts) > 2 and room_of(other) != room_of(module):
            exported = exports(room_of(other))
            assert parts[2] in exported, f"{other} is private to {room_of(other)}"


def exports(room: str) -> list[str]:
    for node in TREES[room].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


@pytest.mark.parametrize("room", [room for room in ROOMS if room.startswith("hpo")])
def test_a_room_exports_modules_that_exist_and_is_small(room: str) -> None:
    folder = MODULES[room].parent
    assert {f"{room}.{name}" for name in exports(room)} <= MODULES.keys()
    for inside in (folder, *(path for path in folder.iterdir() if path.is_dir())):
        assert len(list(inside.glob("*.py"))) <= 14


def test_no_cycles() -> None:
    graph = {name: IMPORTS[name] & MODULES.keys() - {name} for name in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_function_level_imports_are_listed(module: str) -> None:
    local: set[str] = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef):
            local |= set(imports_in(node))
    assert local <= LAZY.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_in_their_rooms(module: str) -> None:
    names = {name.split(".")[0] for name in IMPORTS[module]}
    for library, places in ONLY_IN.items():
        assert library not in names or is_in(module, places), library
    assert not (is_in(module, DRAWING) and "optuna" in names), "plots draw data frames only"


def test_no_module_is_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in [*PATHS, *SCRIPTS]}
    assert {path.name: n for path, n in lengths.items() if n > 230} == {}


def test_public_names_are_unique() -> None:
    """A name has one meaning: no function or class of that name in two modules."""
    names = Counter(
        node.name
        for tree in TREES.values()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, n in names.items() if n > 1} == set()


def has(owner: object, name: str) -> bool:
    """Whether an object has a dotted attribute; fields of dataclasses count."""
    first, _, rest = name.partition(".")
    if not hasattr(owner, first):
        return first in getattr(owner, "__dataclass_fields__", {})
    return not rest or has(getattr(owner, first), rest)


@pytest.mark.parametrize("module", MODULES)
def test_references_in_docstrings_resolve(module: str) -> None:
    here = importlib.import_module(module)
    roles = r":(?:func|class|meth|mod|data|attr):`~?([\w.]+)`"
    for name in re.findall(roles, MODULES[module].read_text()):
        owner, _, attribute = name.rpartition(".")
        while owner and owner not in MODULES:
            owner, _, before = owner.rpartition(".")
            attribute = f"{before}.{attribute}"
        target = importlib.import_module(owner) if owner else here
        classes = [c for c in vars(here).values() if isinstance(c, type)]
        assert name in MODULES or has(target, attribute) or any(has(c, name) for c in classes), name


def test_every_deviation_in_the_code_is_documented() -> None:
    listed = set(re.findall(r"\*\*(D\d+)\*\*", (ROOT / "docs/deviations.md").read_text()))
    named = {n for path in PATHS for n in re.findall(r"Deviation\s+(D\d+)", path.read_text())}
    assert named <= listed
    assert len(named) >= 10
