"""Traces: what the processes did for one request, stored whole, to show, compare and export."""
