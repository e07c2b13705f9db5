"""Whether the lab and its machine are well: probes, status, doctor, disk and processor time."""
