"""Putting the lab back: snapshot, journal, watchdog and recovery."""
