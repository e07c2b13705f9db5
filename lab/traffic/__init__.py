"""The clients: open-loop load, whose arrivals never wait for replies. `python -m lab.traffic`."""
