"""Helper processes of faults: each runs as a child process of the drill and ends with its fault."""
