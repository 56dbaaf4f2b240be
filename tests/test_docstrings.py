"""Functions with tensors say their shapes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MODELS = Path(__file__).parent.parent / "models"
AXES = "batch|frames?|tokens|count|channels|height|width|queries|features|shape"
SHAPE = re.compile(rf"\([^\n]*\b(?:{AXES})\b[^\n]*\)|\bsame shape\b")


def functions_with_tensors(file: Path) -> Iterator[ast.FunctionDef]:
    """Find the functions and methods whose signature names a tensor, but for those within a function."""
    module = ast.parse(file.read_text())
    bodies = [module.body, *(node.body for node in ast.walk(module) if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body if isinstance(node, ast.FunctionDef)):
        annotations = [a.annotation for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation]
        annotations += [node.returns] if node.returns else []
        # Weights of networks are tensors by name, of any shape.
        if any(re.search(r"(?<!str, )\bTensor\b", ast.unparse(annotation)) for annotation in annotations):
            yield node


def test_every_function_with_a_tensor_says_its_shape() -> None:
    silent = [
        f"{file.relative_to(MODELS.parent)}:{node.lineno} {node.name}"
        for file in sorted(MODELS.rglob("*.py"))
        for node in functions_with_tensors(file)
        if not SHAPE.search(ast.get_docstring(node) or "")
    ]
    assert silent == []
