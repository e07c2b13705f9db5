"""FleetOps PE Incident Lab: a running service to practise incidents on, and the evidence it leaves."""

__version__ = "0.1.0"
