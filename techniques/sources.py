"""Files that a GRAPH or a ``module:factory`` is read from, told from changed ones by their bytes."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

OURS = ("planner", "techniques", "tuner")
"""Packages of gnnfit itself: where an own module imports them, they are a version, not what its user writes."""


def short_name(graph: str) -> str:
    """A GRAPH without folders and suffix; what is no path, such as ``like:proteins@0.02``, stays as it is: its dot begins no suffix."""
    return Path(graph).stem if ":" not in graph or Path(graph).exists() else graph


def file_fingerprint(file: Path) -> str | None:
    """32 hex digits of a file's bytes and the number of these; ``None`` where there is no such file."""
    return files_fingerprint([file]) if file.is_file() else None


def files_fingerprint(files: Sequence[Path]) -> str | None:
    """The same of several files, in this order; ``None`` of none."""
    if not files:
        return None
    digest, size = hashlib.blake2b(digest_size=16), 0
    for file in files:
        with file.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
                size += len(part)
    return f"{digest.hexdigest()} ({size} bytes{f' in {len(files)} files' if len(files) > 1 else ''})"


def factory_fingerprint(factory: str, folder: str) -> str | None:
    """The same of the file that holds ``module:factory``, looked for in ``folder`` first, and of what it imports from beside it; no
    module is imported. What is imported by a name that is made up while the code runs is not seen."""
    module = factory.partition(":")[0]
    for root in (folder, *sys.path):
        if _module_file(Path(root), module) is not None:
            return files_fingerprint(_local_files(Path(root), module, everything=root == folder))
    return None


def _local_files(root: Path, module: str, everything: bool) -> list[Path]:
    """Files below ``root`` that importing a module may run: its own, its packages', and those of its imports. With ``everything``
    imports of other packages count; else, where installed packages lie side by side, only those of its own."""
    own, waiting = module.partition(".")[0], [module]
    seen: dict[str, Path | None] = {}
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in seen or not (top == own or (everything and top not in OURS)):
            continue
        seen[name] = file = _module_file(root, name)
        waiting.append(name.rpartition(".")[0])
        waiting += _imported(file, name) if file is not None else ()
    return sorted({file for file in seen.values() if file is not None})


def _imported(file: Path, name: str) -> Iterator[str]:
    """Modules that a file may import, and names that may be modules."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # whoever runs it is told
        return
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{one.name}".lstrip(".") for one in node.names)


def _module_file(root: Path, module: str) -> Path | None:
    """The file of a module below a folder of ``sys.path``."""
    if not module:
        return None
    path = root.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def dataset_fingerprint(graph: str, cache: Path) -> str | None:
    """The same of what ``pyg:NAME[/SUBSET]`` reads: files that PyG has made of a download below ``cache``, else the file of its class,
    which holds data that PyG ships; ``None`` where there is neither yet. Neither torch nor PyG is imported."""
    name, _, subset = graph.removeprefix("pyg:").partition("/")
    parts = {one.casefold() for one in subset.split("/") if one}
    made = [one for one in cache.rglob("processed*/*") if one.is_file()]
    ours = [one for one in made if parts <= {part.casefold() for part in one.relative_to(cache).parts}]
    return files_fingerprint(sorted(ours or made)) if made else _class_fingerprint(name)


def _class_fingerprint(name: str) -> str | None:
    found = find_spec("torch_geometric")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent / "datasets"
    for node in ast.walk(ast.parse((package / "__init__.py").read_bytes())):
        if isinstance(node, ast.ImportFrom) and any(one.name == name for one in node.names):
            return file_fingerprint(package / f"{node.module}.py")
    return None
