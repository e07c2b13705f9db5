"""Health of the lab and its machine: readiness probes, status, doctor, disk space and processor time."""
