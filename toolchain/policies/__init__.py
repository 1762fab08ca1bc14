"""Policies as data, and what acts with them."""
