"""The input of a network of graded payloads."""
