"""Helper processes of faults: each runs as a child of the drill and ends with its fault."""
