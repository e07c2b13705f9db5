"""The site: macros that turn rules, specs and records into pages, and the console that serves them."""
