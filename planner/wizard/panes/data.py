"""Data: a graph, or numbers only."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input, Static

from planner.wizard.facts_text import graph_lines
from planner.wizard.fields import Pane, TextField, TickField, text
from planner.wizard.state import State


class DataPane(Pane):
    """Source, or nodes, edges, features and classes."""

    NAME, TITLE = "data", "Data"
    TYPED_INTO = (Input,)
    ABOUT = "Which graph? Memory is planned from its size, so every number says where it comes from."
    HELP = (
        "GRAPH is an .npz file (edge_index, x, y, ...), a folder of .npy files, a .pt file with a PyG Data, an edges.csv, "
        "module:factory for a function of yours, pyg:NAME for a data set of PyG, or like:NAME@SCALE for a generated graph "
        "with the statistics of a known one (like:ogbn-products@0.02).\n\n"
        "Numbers only: counts such as 2.4M. Edges are undirected pairs unless you tick directed.\n\n"
        "measured = read from the graph; estimated = follows from a formula or the catalog; typed = you said so."
    )

    def body(self) -> ComposeResult:
        yield TickField("from_counts", "Numbers only", "there is no graph yet: plan from counts")
        yield TextField("graph", "GRAPH", "graph.npz, pyg:KarateClub, module:factory")
        yield TextField("nodes", "Nodes", "2.4M")
        yield TextField("edges", "Edges", "61.9M undirected pairs")
        yield TextField("features", "Feature columns", "100")
        yield TextField("classes", "Classes", "empty: 2")
        yield TickField("directed", "Directed", "edges are counted one way")
        yield Static("", classes="gap")
        yield text("graph-facts")

    def show(self, state: State) -> None:
        super().show(state)
        counted = state.answers.from_counts
        for field in self.query(TextField):
            field.display = counted is not (field.answer == "graph")
        self.query(TickField).last().display = counted
        self.say("graph-facts", graph_lines(state, self.width))
