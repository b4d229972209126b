"""The ``.pt`` form: PyG objects written by ``torch.save``, read without running any code in the file."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

from techniques.errors import GraphError
from techniques.remote.source.arrays import ArrayGraph


def read_torch_file(file: Path) -> ArrayGraph:
    """Read the ``Data``, ``HeteroData`` or list of ``Data`` in a ``.pt`` file; tensors stay memory-mapped.

    Raises:
        GraphError: the file is damaged, holds something else, or holds code.
    """
    from techniques.remote.source.pyg_object import convert

    loaded = _load(file)
    try:
        return convert(loaded, file.stem)
    except GraphError:
        raise
    except Exception as error:  # a forged object can lack anything that PyG takes for granted
        raise _refusal(file, error) from error


def _load(file: Path) -> Any:
    import torch

    try:
        # Only the zip format can be mapped; the older one is a plain pickle.
        mapped = zipfile.is_zipfile(file)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_pyg_classes()):
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # damaged pickles raise nearly anything
        raise _refusal(file, error) from error


def _pyg_classes() -> list[Any]:
    from collections import defaultdict

    from torch_geometric.data import Data, HeteroData
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.feature_store import TensorAttr
    from torch_geometric.data.graph_store import EdgeAttr, EdgeLayout
    from torch_geometric.data.storage import BaseStorage, EdgeStorage, GlobalStorage, NodeStorage

    stores = [BaseStorage, EdgeStorage, GlobalStorage, NodeStorage]
    return [
        Data,
        HeteroData,
        DataEdgeAttr,
        DataTensorAttr,
        TensorAttr,
        EdgeAttr,
        EdgeLayout,
        defaultdict,
        dict,
        *stores,
    ]


def _refusal(file: Path, error: Exception) -> GraphError:
    words = " ".join(str(error).split())
    if "Unsupported" in words or "was not an allowed global" in words or "weights_only" in words.lower():
        return GraphError(
            f"{file} must hold PyG data and tensors only, got a pickle with other contents or damaged bytes "
            f"({_first_offence(words)})",
            "Load it where you trust it and save the Data or HeteroData object alone with torch.save",
        )
    return GraphError(
        f"{file} must be a file written by torch.save, got {type(error).__name__}: {words[:200]}",
        "Save the Data or HeteroData object again with torch.save",
    )


def _first_offence(words: str) -> str:
    _, _, tail = words.partition("WeightsUnpickler error:")
    return (tail or words).strip()[:160]
