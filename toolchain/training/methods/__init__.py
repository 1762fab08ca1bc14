"""Training methods, their algorithms and hyperparameters."""
