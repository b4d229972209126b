from __future__ import annotations

from pathlib import Path

import pytest

from techniques.sources import dataset_fingerprint, factory_fingerprint

FILES = {
    "own/__init__.py": "",
    "own/net.py": "import torch, layers.wide as wide\nfrom . import parts\nfrom .deep.inner import thing",
    "own/parts.py": "def late():\n    from helper import number",
    "own/deep/inner.py": "from ..above import other",
    "own/above.py": "not python",
    "layers/wide.py": "import own.net",
    "helper.py": "import techniques.sources",
}
"""Every file is reached from ``own.net``, in circles, too."""
BESIDE = {"own/unread.py": "", "stranger.py": "", "techniques/sources.py": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {**FILES, **BESIDE}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_a_module_imports_from_beside_it_counts(folder: Path) -> None:
    before = factory_fingerprint("own.net:build", str(folder))
    assert before is not None and before.endswith(f" bytes in {len(FILES)} files)")
    for name in FILES:
        (folder / name).write_text(FILES[name] + "# other")
        assert factory_fingerprint("own.net:build", str(folder)) != before, name
        (folder / name).write_text(FILES[name])
    for name in BESIDE:
        (folder / name).write_text("# other")
    assert factory_fingerprint("own.net:build", str(folder)) == before


def test_of_installed_packages_only_its_own_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    found = factory_fingerprint("own.net:build", "/nowhere")
    assert found is not None and found.endswith(" in 5 files)")
    assert factory_fingerprint("missing:build", "/nowhere") is None


def test_a_data_set_is_what_was_made_of_it_or_the_file_of_its_class(tmp_path: Path) -> None:
    cora, other = (tmp_path / name / "processed/data.pt" for name in ("Cora", "PubMed"))
    for file in (cora, other):
        file.parent.mkdir(parents=True)
        file.write_text("as it was")
    before = dataset_fingerprint("pyg:Planetoid/cora", tmp_path)
    other.write_text("another data set")
    assert dataset_fingerprint("pyg:Planetoid/cora", tmp_path) == before
    cora.write_text("as it is now")
    assert dataset_fingerprint("pyg:Planetoid/cora", tmp_path) != before
    shipped = dataset_fingerprint("pyg:KarateClub", tmp_path / "nothing")
    assert shipped is not None and " bytes)" in shipped
    assert dataset_fingerprint("pyg:NoSuch", tmp_path / "nothing") is None
