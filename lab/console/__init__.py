"""The live console: a process that serves the built site and the API behind its console page."""
