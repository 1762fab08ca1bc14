"""What readers of several formats find out: actions, observations, normalisers, sidecars."""
