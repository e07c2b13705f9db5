"""Undoing a drill: snapshot, journal, watchdog and recovery."""
