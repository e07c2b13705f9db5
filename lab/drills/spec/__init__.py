"""Drill files: their format, the alert that must detect the fault, and the predicted detection."""
