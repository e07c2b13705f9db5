"""Verdicts and scores, computed from facts alone: no clock, no network."""
