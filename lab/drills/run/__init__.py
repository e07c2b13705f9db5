"""One running drill: its incident, responders, hints, diagnosis, and the steady state it starts from."""
