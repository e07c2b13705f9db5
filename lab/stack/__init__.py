"""The embedded stack: find the programs, render their configuration, start, watch and stop them, leave nothing behind."""
