"""The views that macros put on pages: one module a subject."""
