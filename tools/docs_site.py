"""Pages of the documentation site that are written when it is built (a hook of MkDocs, see mkdocs.yml).

- home and tour are the two halves of the README; contributing and changelog are the files at the top of the repository;
- the reference is written from the code: docstrings, the command line's help, the gateway's OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parent.parent
ICON = ROOT / "service" / "web" / "icon.svg"
TOUR = "## Tour"
PAGES_OF_ROOT = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "licences.md",
}

MODULES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "reference/python.md": (
        "The door: `cascade`",
        ("models.generate", "models.clip", "models.runtime.execution", "models.errors", "service.client"),
    ),
    "reference/models.md": (
        "Models",
        (
            "models.stage",
            "models.presets",
            "models.checkpoints",
            "models.diffusion",
            "models.layers",
            "models.text",
            "models.media",
            "models.runtime.device",
        ),
    ),
    "reference/families.md": ("Families", ("models.families",)),
    "reference/training.md": (
        "Training and evaluation",
        ("models.train", "models.training", "models.evaluate", "models.evaluation"),
    ),
    "reference/workers.md": ("Workers", ("workers",)),
}
"""Pages of Python reference: title, and the modules and packages on each; packages with all that is below them."""


@event_priority(100)  # before the link checker, which notes the pages that there are
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the written pages to those that lie in docs/."""
    for address, content in written_pages():
        files.append(File.generated(config, address, content=content))
    files.append(File.generated(config, "icon.svg", content=ICON.read_text()))
    return files


def written_pages() -> Iterator[tuple[str, str]]:
    """Yield the address and Markdown of every page that is written at build time."""
    home, tour = (ROOT / "README.md").read_text().split(TOUR, maxsplit=1)
    yield "index.md", relinked(home)
    yield "tour.md", relinked(f"# Tour{tour}")
    for source in ("CONTRIBUTING.md", "CHANGELOG.md"):
        yield PAGES_OF_ROOT[source], relinked((ROOT / source).read_text())
    for address, (title, modules) in MODULES.items():
        yield address, python_reference(title, modules)
    yield "reference/command-line.md", command_line()
    yield "reference/rest.md", rest_api()


def relinked(text: str) -> str:
    """Return a page of the top of the repository with its links as they are from within docs/."""
    text = re.sub(r"\]\(docs/", "](", text)
    for source, page in PAGES_OF_ROOT.items():
        text = text.replace(f"]({source})", f"]({page})")
    return text


def python_reference(title: str, modules: tuple[str, ...]) -> str:
    """Return a page with the docstrings of modules and packages."""
    lines = [f"# {title}", ""]
    for module in modules:
        lines += [f"::: cascade.{name}\n" for name in _with_submodules(module)]
    return "\n".join(lines)


def _with_submodules(module: str) -> Iterator[str]:
    """Yield a module, or all modules of a package that have something to say."""
    folder = ROOT / module.replace(".", "/")
    if not folder.is_dir():
        yield module
        return
    for file in sorted(folder.rglob("*.py")):
        if file.stat().st_size:
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__")


def command_line() -> str:
    """Return the help of every command."""
    from cascade.service.cli.main import app

    lines = ["# Command line", "", "`cascade` and `python -m cascade` are the same.", ""]
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="cascade")
    for name, command in _commands(root, context):
        lines += [f"## `{name}`", "", command.help or "", ""]
        lines += _parameters(command)
    return "\n".join(lines)


def _commands(group: Any, context: typer.Context) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = typer.Context(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _commands(command, inner)
        else:
            yield inner.command_path, command


def _parameters(command: Any) -> list[str]:
    rows = []
    for one in command.params:
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        if one.param_type_name == "argument":
            names = f"`{(one.metavar or one.name).upper()}`"
        rows.append(f"| {names} | {_default_of(one)} | {_cell(getattr(one, 'help', None) or '')} |")
    return ["| parameter | default | meaning |", "|---|---|---|", *rows, ""] if rows else []


def _default_of(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if isinstance(words := getattr(parameter, "show_default", None), str):
        return words
    return "" if parameter.default in (None, False, ()) else f"`{parameter.default}`"


def rest_api() -> str:
    """Return the gateway's OpenAPI document as a page."""
    from cascade.service.gateway import create_app

    return rendered(create_app().openapi())


def rendered(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as Markdown: each route with parameters, body and answers; then the models."""
    lines = ["# REST API", "", document["info"].get("description", ""), ""]
    lines += ["A running gateway has this document at `/openapi.json`, and describes it at `/docs`.", ""]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            lines += _route(f"{method.upper()} {path}", route)
    lines += ["## Models", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _model(name, schema)
    return "\n".join(lines)


def _route(title: str, route: Mapping[str, Any]) -> list[str]:
    lines = [f"## `{title}`", "", route.get("description") or route.get("summary", ""), ""]
    if route.get("parameters"):
        lines += ["| parameter | in | type | meaning |", "|---|---|---|---|"]
        for one in route["parameters"]:
            name = f"`{one['name']}`" + (", required" if one.get("required") else "")
            meaning = _cell(one.get("description") or one["schema"].get("description", ""))
            lines.append(f"| {name} | {one['in']} | {_type(one['schema'])} | {meaning} |")
        lines.append("")
    contents = route.get("requestBody", {}).get("content", {})
    lines += [f"Body, `{media}`: {_type(content.get('schema', {}))}\n" for media, content in contents.items()]
    lines += ["| status | answer |", "|---|---|"]
    for status, answer in route["responses"].items():
        schemas = [_type(content.get("schema", {})) for content in answer.get("content", {}).values()]
        words = [answer["description"], *(schema for schema in schemas if schema != "any")]
        lines.append(f"| {status} | {_cell(' '.join(words))} |")
    return [*lines, ""]


def _model(name: str, schema: Mapping[str, Any]) -> list[str]:
    lines = [f"### {name}", "", schema.get("description", ""), ""]
    if "enum" in schema:
        lines += [_type(schema), ""]
    if schema.get("properties"):
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        for field, inner in schema["properties"].items():
            mark = "required" if field in schema.get("required", ()) else _default(inner)
            words = "Deprecated. " if inner.get("deprecated") else ""
            lines.append(
                f"| `{field}` | {_type(inner)} | {mark} | {words}{_cell(inner.get('description', ''))} |"
            )
    return [*lines, ""]


def _default(schema: Mapping[str, Any]) -> str:
    return f"`{schema['default']}`" if schema.get("default") is not None else ""


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type of a JSON Schema in words; models are links."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[key]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", r"\|")
