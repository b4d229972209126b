"""Source that an exported script carries along: plain torch, numpy and PyG, nothing of gnnfit.

Each module is pasted into a script as it stands, without its docstring and with its imports moved to the top.
"""
