"""The measured capacity on page 04: limits, curves over the load, models beside measurements, and plans."""
