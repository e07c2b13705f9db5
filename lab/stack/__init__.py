"""The embedded stack: find programs, render configuration, start, watch and stop them, leave nothing behind."""
