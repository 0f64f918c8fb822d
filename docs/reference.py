"""Write ``docs/configuration.md`` and ``docs/errors.md``, which are made from the code."""

import argparse
import ast
import dataclasses
import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

from hpo.space.ranges import GROUPS, search_space
from hpo.study.settings import StudySettings
from model.architecture import ModelConfig
from model.config import FitConfig, LayerRates

ROOT = Path(__file__).parents[1]
SCRIPTS = ("run_study", "dashboard", "retrain_best", "reproduce", "compare")
CONFIGURED = (StudySettings, ModelConfig, FitConfig, LayerRates)


def cell(text: object) -> str:
    """Return a text that can stand in a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def flag_lines(script: str) -> list[str]:
    """Return a table of a script's flags."""
    parser = runpy.run_path(str(ROOT / f"{script}.py"), run_name="docs")["flags"]()
    lines = [f"## `{script}.py`", "", f"{parser.description}", "", "| flag | |", "|---|---|"]
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            lines.append(f"| `{cell(shown(action))}` | {cell(help_of(action))} |")
    return [*lines, ""]


def shown(action: argparse.Action) -> str:
    """Return a flag with what it takes."""
    name = ", ".join(action.option_strings) or action.dest
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return name
    value = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.metavar
    value = value or action.dest.upper()
    more = {"+": f"{value} …", "?": f"[{value}]", None: str(value)}[action.nargs]  # type: ignore[index]
    return f"{name} {more}" if action.option_strings else more


def help_of(action: argparse.Action) -> str:
    """Return a flag's help, with the default that it speaks of or has."""
    said = (action.help or "").replace("%(default)s", str(action.default))
    nothing = action.default is None or action.default is False or action.default == []
    if nothing or "default" in said:
        return said
    default = " ".join(action.default) if isinstance(action.default, list) else action.default
    return f"{said} (default: {default})".strip()


def field_lines(kind: type) -> list[str]:
    """Return a table of a configuration's fields, as its docstring describes them."""
    doc = inspect.getdoc(kind) or ""
    about = described(doc)
    lines = [f"### `{kind.__module__}.{kind.__name__}`", "", doc.split("\n")[0], ""]
    lines += ["| field | default | |", "|---|---|---|"]
    for field in dataclasses.fields(kind):
        missing = field.default is dataclasses.MISSING
        default = "" if missing else f"`{cell(field.default)}`"
        lines.append(f"| `{field.name}` | {default} | {cell(about[field.name])} |")
    return [*lines, ""]


def described(doc: str) -> dict[str, str]:
    """Return what a docstring's ``Args`` say of each name."""
    found: dict[str, str] = {}
    name = ""
    for line in doc.partition("Args:\n")[2].split("\n\n")[0].splitlines():
        if not line.startswith(" " * 8):
            name, _, text = line.strip().partition(": ")
            found[name] = text
        else:
            found[name] += " " + line.strip()
    return {n: re.sub(r":\w+:`([^`]*)`", r"`\1`", t.replace("``", "`")) for n, t in found.items()}


def space_lines(image_size: int = 35) -> list[str]:
    """Return a table of the searched parameters."""
    lines = [f"## What is searched, at {image_size} pixels", "", "| group | parameter | range |"]
    lines.append("|---|---|---|")
    for group in GROUPS:
        found = search_space(image_size, (group,))
        first = next(iter(found.values()))
        shown = f"{first.low} … {first.high}"  # type: ignore[attr-defined]
        shown += ", logarithmic" if getattr(first, "log", False) else ""
        step = getattr(first, "step", None)
        shown += f", in steps of {step}" if step and step != 1 else ""
        lines.append(f"| {group} | {', '.join(f'`{n}`' for n in found)} | {shown} |")
    return [*lines, ""]


def configuration() -> str:
    """Return the content of configuration.md."""
    lines = ["# Configuration", "", "Made by `uv run docs/reference.py` from the code.", ""]
    for script in SCRIPTS:
        lines += flag_lines(script)
    lines += space_lines()
    lines += ["## What a study, a network and a fit are made of", ""]
    for kind in CONFIGURED:
        lines += field_lines(kind)
    return "\n".join(lines)


def messages(path: Path) -> Iterator[str]:
    """Yield the messages of a module's input errors, what is filled in as ``…``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", "")
        if called == "InputError" and (text := literal(node.args[0])):
            yield text
        if called == "require":
            law, repair = literal(node.args[1]) or "…", literal(node.args[3])
            yield f"`{law}` must hold, but the value is …. {repair}"


def literal(node: ast.expr) -> str:
    """Return a string's text, and that of several that are put together."""
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
        "# Every error that a command can end with",
        "",
        "Made by `uv run docs/reference.py` from the code. Each is one line on the terminal, with "
        "exit status 2; what is stored stays as it was. `…` stands for what is filled in. Anything "
        "else, with a traceback, is a bug of ours.",
        "",
    ]
    for folder in ("data", "model", "hpo"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if found := sorted(set(messages(path))):
                lines += [f"## {path.relative_to(ROOT)}", "", *(f"- {text}" for text in found), ""]
    return "\n".join(lines)


PAGES = {"configuration.md": configuration, "errors.md": errors}


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (ROOT / "docs" / name).write_text(make())
        print(f"wrote    docs/{name}")


if __name__ == "__main__":
    main()
