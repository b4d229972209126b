"""Looking at a user's modules."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from techniques.architecture.probe import probe
from techniques.facts import ModelFacts
from tests.techniques.architecture.own_modules import LOOKED_AT, MODULE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> str:
    found: Path = tmp_path_factory.mktemp("models")
    (found / "my_gnns.py").write_text(textwrap.dedent(MODULE))
    return str(found)


@pytest.fixture
def looked_at(folder: str, make_facts: Any) -> Callable[..., ModelFacts]:
    def build(name: str, facts: Any = None, **values: Any) -> ModelFacts:
        facts = facts or make_facts()
        asked = (name, facts.model_dump_json(), repr(values))
        if asked not in LOOKED_AT:
            LOOKED_AT[asked] = probe(f"my_gnns:{name}", folder, facts, values)
        return ModelFacts(architecture="custom", custom=LOOKED_AT[asked])

    return build
