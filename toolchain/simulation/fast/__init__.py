"""The fast backend: event-driven, batched, compiled; one process, one core, integers only."""
