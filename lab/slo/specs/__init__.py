"""Reads spec files: YAML whose values keep their file, line and key, converted to the model."""
