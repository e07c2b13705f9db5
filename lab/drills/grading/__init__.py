"""Verdicts and scores, computed from facts: no clock, no network."""
