"""Deliberate incidents: faults, responders, grading and the recorded evidence."""
