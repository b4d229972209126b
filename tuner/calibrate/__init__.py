"""``gnnfit calibrate``: one file for each thing measured; run in a child process under the environment of trials."""
