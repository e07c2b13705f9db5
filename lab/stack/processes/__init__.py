"""Processes: supervision, the wrapper that starts them, orphans and signals."""
