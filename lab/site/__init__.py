"""The documentation site: macros that turn rules, SLO specs and incident records into pages."""
