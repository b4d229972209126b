"""``gnnfit watch``: a live view of a run (Textual); never imported by other modules at import time."""
