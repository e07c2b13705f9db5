"""Spec files: YAML whose every value knows its file, line and key, read into the model."""
