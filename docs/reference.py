"""Generates ``docs/configuration.md`` and ``docs/errors.md`` from the code."""

import argparse
import ast
import dataclasses
import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

from data.distortions import DistortConfig
from hpo.space.files import BUILT_IN, built_in_space
from hpo.space.parameter import Parameter
from hpo.space.paths import parameter_types
from model.architecture import ModelConfig
from model.config import FitConfig, LayerRates

ROOT = Path(__file__).parents[1]
SCRIPTS = ("run_study", "dashboard", "retrain_best", "reproduce", "compare")
CONFIGURED = (ModelConfig, FitConfig, DistortConfig, LayerRates, Parameter)
SPACE_IMAGE_SIZE = 35  # the default, at which the search space is listed


def escape_cell(text: object) -> str:
    """Return a text as the content of a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def flag_lines(script: str) -> list[str]:
    """Return a section with the description and the flags of a script."""
    parser = runpy.run_path(str(ROOT / f"{script}.py"), run_name="docs")["flags"]()
    lines = [
        f"## `{script}.py`",
        "",
        f"{parser.description}",
        "",
        "| section | flag | description |",
        "|---|---|---|",
    ]
    for group in parser._action_groups:
        section = "" if group.title in ("options", "positional arguments") else f"`{group.title}`"
        for action in group._group_actions:
            if not isinstance(action, argparse._HelpAction):
                flag, text = escape_cell(format_flag(action)), escape_cell(help_of(action))
                lines.append(f"| {section} | `{flag}` | {text} |")
    return [*lines, ""]


def format_flag(action: argparse.Action) -> str:
    """Return the names of a flag and a placeholder of its value, as the usage shows them."""
    name = ", ".join(action.option_strings) or action.dest
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return name
    value = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.metavar
    value = value or action.dest.upper()
    values = {"+": f"{value} …", "?": f"[{value}]", None: str(value)}[action.nargs]  # type: ignore[index]
    return f"{name} {values}" if action.option_strings else values


def help_of(action: argparse.Action) -> str:
    """Return the help of a flag, with its default."""
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    no_default = action.default in (None, False, [], argparse.SUPPRESS)
    if no_default or "default" in text:
        return text
    default = " ".join(action.default) if isinstance(action.default, list) else action.default
    return f"{text} (default: {default})".strip()


def field_lines(kind: type) -> list[str]:
    """Return a section with the fields of a configuration, described by its docstring."""
    doc = inspect.getdoc(kind) or ""
    descriptions = argument_descriptions(doc)
    lines = [f"### `{kind.__module__}.{kind.__name__}`", "", doc.split("\n")[0], ""]
    lines += ["| field | default | description |", "|---|---|---|"]
    for field in dataclasses.fields(kind):
        is_required = field.default is dataclasses.MISSING
        default = "" if is_required else f"`{escape_cell(field.default)}`"
        description = escape_cell(descriptions[field.name])
        lines.append(f"| `{field.name}` | {default} | {description} |")
    return [*lines, ""]


def argument_descriptions(doc: str) -> dict[str, str]:
    """Return the descriptions in the ``Args`` section of a docstring, as Markdown, by name."""
    descriptions: dict[str, str] = {}
    name = ""
    for line in doc.partition("Args:\n")[2].split("\n\n")[0].splitlines():
        if not line.startswith(" " * 8):
            name, _, text = line.strip().partition(": ")
            descriptions[name] = text
        else:
            descriptions[name] += " " + line.strip()
    return {
        name: re.sub(r":\w+:`([^`]*)`", r"`\1`", text.replace("``", "`"))
        for name, text in descriptions.items()
    }


def parameter_lines() -> list[str]:
    """Return a section with the parameters that a space may contain, by type."""
    lines = [
        "## Parameters of a space",
        "",
        "Names that a space file may use; [spaces.md](spaces.md) says how. Parameters of a network "
        "of your own begin with `net.`.",
        "",
        "| values | names |",
        "|---|---|",
    ]
    words = {float: "number", int: "integer", bool: "true or false", str: "text"}
    for kind, word in words.items():
        names = [f"`{name}`" for name, t in parameter_types().items() if t is kind]
        lines.append(f"| {word} | {', '.join(names)} |")
    return [*lines, ""]


def space_lines(name: str, image_size: int = SPACE_IMAGE_SIZE) -> list[str]:
    """Return a section with the parameters of a built-in space, those of a range in one row.

    Args:
        name: name of the space.
        image_size: height and width of the input in pixels; it limits the kernels.
    """
    lines = [f"## Space `{name}` at {image_size} pixels", "", "| parameters | values | defaults |"]
    lines.append("|---|---|---|")
    by_range: dict[tuple[str, str], list[str]] = {}
    space = built_in_space(name)
    for parameter, p in space.searched.items():
        row = p.describe_range(image_size), parameter.split(".")[-1]
        by_range.setdefault(row, []).append(parameter)
    for (values, _), names in by_range.items():
        starts = (space.searched[n].start(image_size) for n in names)
        defaults = ", ".join(dict.fromkeys(map(str, starts)))
        lines.append(f"| {', '.join(f'`{n}`' for n in names)} | {values} | {defaults} |")
    return [*lines, ""]


def configuration() -> str:
    """Return the content of configuration.md."""
    lines = ["# Configuration", "", "Generated from the code by `uv run docs/reference.py`.", ""]
    for script in SCRIPTS:
        lines += flag_lines(script)
    lines += parameter_lines()
    for name in BUILT_IN:
        lines += space_lines(name)
    lines += ["## Configuration classes", ""]
    for kind in CONFIGURED:
        lines += field_lines(kind)
    return "\n".join(lines)


def messages(path: Path) -> Iterator[str]:
    """Yield the messages of the input errors that a module raises; ``…`` replaces values."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        function = getattr(node.func, "id", "")
        if function == "InputError" and (text := literal(node.args[0])):
            yield text
        if function == "require":
            requirement, fix = literal(node.args[1]) or "…", literal(node.args[3])
            yield f"`{requirement}` must hold, but the value is …. {fix}"


def literal(node: ast.expr) -> str:
    """Return the text of a string expression with ``…`` for values; empty for other expressions."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(v) if isinstance(v, ast.Constant) else "…" for v in node.values)
    if isinstance(node, ast.BinOp):
        return literal(node.left) + literal(node.right)
    return ""


def errors() -> str:
    """Return the content of errors.md."""
    lines = [
        "# Errors",
        "",
        "Generated from the code by `uv run docs/reference.py`: every error of a command that you "
        "can fix. It is one line on the terminal, the exit status is 2, and stored studies and "
        "files stay as they were. `…` stands for a value. An error with a traceback is a bug.",
        "",
    ]
    for folder in ("data", "model", "hpo"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if texts := sorted(set(messages(path))):
                lines += [f"## {path.relative_to(ROOT)}", "", *(f"- {text}" for text in texts), ""]
    return "\n".join(lines)


PAGES = {"configuration.md": configuration, "errors.md": errors}


def main() -> None:
    """Write the pages."""
    for name, generate in PAGES.items():
        (ROOT / "docs" / name).write_text(generate())
        print(f"wrote    docs/{name}")


if __name__ == "__main__":
    main()
