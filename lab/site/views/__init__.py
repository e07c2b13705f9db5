"""The views that pages call as macros, one module per subject. Each lists its macros in VIEWS."""
