"""`fleetops capacity` and `traffic`: measure what the lab can serve, plan with it, and set its load."""
