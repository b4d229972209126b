"""What a script does not use is left out."""

from __future__ import annotations

from tuner.export.pruned import pruned

SCRIPT = '''\
"""Words."""

import math
import numpy as np
from contextlib import contextmanager, suppress
from typing import Any

LIMIT = 3
"""Of what is used."""
OTHER = math.pi
"""Of what is not."""


def used(x: Any) -> float:
    return deep(x) + LIMIT


def deep(x):
    return x


@contextmanager
def unused():
    """Calls itself."""
    with suppress(ValueError):
        yield unused()


class Unused:
    scale = OTHER


print(used(np.ones(2)))
'''


def test_only_what_the_statements_lead_to_is_kept() -> None:
    text = pruned(SCRIPT)
    assert text.startswith(
        '"""Words."""\n\nimport numpy as np\nfrom typing import Any\n\nLIMIT = 3\n"""Of what is used."""'
    )
    for name in ("math", "contextmanager", "OTHER", "Of what is not", "def unused", "class Unused", "\n\n\n\n"):
        assert name not in text, name
    assert "def deep" in text and text.endswith("\n\n\nprint(used(np.ones(2)))\n")
    assert pruned(text) == text
