"""The artifact: what it holds, the rules it keeps, and its file."""
