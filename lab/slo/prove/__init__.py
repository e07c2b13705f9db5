"""Proofs: promtool tests computed from the same specs and windows as the rules, but with independent arithmetic."""
