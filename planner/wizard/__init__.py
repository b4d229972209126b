"""``gnnfit wizard``: the only Textual code of the planner; never imported by other modules at import time.

``answers.py`` (what was typed, and the command line that it stands for), ``plan_text.py``, ``story.py`` and ``symptoms.py``
are plain functions; ``app.py`` and ``panes/`` draw. Planning happens in a child process (``server.py``), tuning in another
(``gnnfit tune``, followed through its run folder), so that the screen never waits.
"""
