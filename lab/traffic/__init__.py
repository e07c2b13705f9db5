"""The load generator: open-loop traffic, whose arrivals never wait for responses. `python -m lab.traffic`."""
