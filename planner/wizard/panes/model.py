"""Task and model."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from planner.wizard.facts_text import model_lines
from planner.wizard.fields import ChoiceField, Pane, TextField, text
from planner.wizard.state import State

TASKS = (
    ("what the labels say", ""),
    ("node: classify nodes", "node"),
    ("link: predict edges", "link"),
    ("graph: predict for whole graphs", "graph"),
)
PRECISIONS = (("as planned", ""), ("fp32: full precision", "fp32"), ("bf16: half the bytes of activations", "bf16"))


class ModelPane(Pane):
    """What is predicted, and with what."""

    NAME, TITLE = "model", "Model"
    ABOUT = "What is predicted, and with which network? Leave empty what you do not know: the plan compares."
    HELP = (
        "Architecture: gcn, sage, gat, gatv2, gin, appnp, sgc, sign; for several node types hetero_sage, rgcn, hgt; or "
        "module:factory for a network of your own. Empty compares all that are built in.\n\n"
        "sage (GraphSAGE) is made for sampled batches and growing graphs; gcn is cheapest; gat is often most accurate and "
        "always most expensive.\n\n"
        "Each layer lets a node see one hop further, and multiplies what a sampled batch reads. Hidden is the width of the "
        "layers: memory grows with it."
    )

    def body(self) -> ComposeResult:
        yield ChoiceField("task", "Task", TASKS)
        yield TextField("model", "Architecture", "empty: compare all; or gcn, sage, gat ...")
        yield TextField("layers", "Layers", "empty: as planned, usually 2")
        yield TextField("hidden", "Hidden width", "empty: as planned, usually 128")
        yield ChoiceField("precision", "Precision", PRECISIONS)
        yield Static("", classes="gap")
        yield text("model-facts")

    def show(self, state: State) -> None:
        super().show(state)
        self.say("model-facts", model_lines(state, self.width))
