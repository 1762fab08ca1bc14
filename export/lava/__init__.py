"""The network in Lava.

Processes, the real runtime under supervision, and the host's side of a decision.
"""
