"""Files that a GRAPH or a ``module:factory`` is read from, told from changed ones by their bytes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def file_fingerprint(file: Path) -> str | None:
    """32 hex digits of a file's bytes and the number of these; ``None`` where there is no such file."""
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return f"{digest} ({file.stat().st_size} bytes)"


def factory_fingerprint(factory: str, folder: str) -> str | None:
    """The same of the file that holds ``module:factory``, looked for in ``folder`` first; the module is not imported, and what it
    imports itself is not looked at."""
    module = Path(*factory.partition(":")[0].split("."))
    for root in (folder, *sys.path):
        for file in (module / "__init__.py", module.with_suffix(".py")):
            if (found := file_fingerprint(Path(root, file))) is not None:
                return found
    return None
