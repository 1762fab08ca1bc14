"""Everything that executes artifacts, and what runs them in environments."""
