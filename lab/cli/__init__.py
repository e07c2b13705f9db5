"""The command line: `fleetops COMMAND …`, for people, runbooks and programs."""
