"""Drill files: what they may say, which alert must detect the fault, and when."""
