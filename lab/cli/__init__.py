"""What people and runbooks type: `fleetops VERB …`."""
