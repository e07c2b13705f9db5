"""Incidents on purpose: faults, responders, grading and the recorded evidence."""
