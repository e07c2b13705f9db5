"""The API gateway: one door, which may refuse, divert, and say who answered."""
