"""The embedded stack: find programs, render their configuration, and start, supervise and stop them."""
