"""A script without the functions, classes, constants and imports of which it makes no use."""

from __future__ import annotations

import ast
import re

Imports = (ast.Import, ast.ImportFrom)


def pruned(text: str) -> str:
    """The script but for what nothing in it leads to; modules are pasted as a whole."""
    tree = ast.parse(text)
    reached = reached_names(tree)
    lines: list[str | None] = list(text.split("\n"))
    dropped = False
    for node in tree.body:
        name = defined_name(node)
        dropped = (name is not None and name not in reached) or (dropped and is_text(node))  # a constant's own words
        if isinstance(node, Imports):
            lines[node.lineno - 1] = used_import(node, reached)
        elif dropped:
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            lines[first - 1 : node.end_lineno] = [None] * ((node.end_lineno or first) - first + 1)
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(line for line in lines if line is not None))


def reached_names(tree: ast.Module) -> set[str]:
    """Names that the script's own statements use, and those that these lead to."""
    defined = {name: node for node in tree.body if (name := defined_name(node)) is not None}
    reached = {"predict"}  # for whoever uses the model
    waiting = [node for node in tree.body if defined_name(node) in (None, "predict") and not isinstance(node, Imports)]
    while waiting:
        new = {one.id for one in ast.walk(waiting.pop()) if isinstance(one, ast.Name)} - reached
        reached |= new
        waiting += [defined[name] for name in new if name in defined]
    return reached


def defined_name(node: ast.stmt) -> str | None:
    """What a function, a class or a constant is called."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id[0].isupper():
        return node.targets[0].id
    return None


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is words alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def used_import(node: ast.Import | ast.ImportFrom, reached: set[str]) -> str | None:
    """The import of what is used; ``None`` for nothing."""
    kept = [one for one in node.names if (one.asname or one.name).split(".")[0] in reached]
    return ast.unparse(type(node)(**{**vars(node), "names": kept})) if kept else None
