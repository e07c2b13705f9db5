"""Rollouts: a judge that compares a new version with the stable one, and a controller that acts on its verdict."""
