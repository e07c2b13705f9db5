"""What drills write, as frozen types: records, journals, the figures in them, and the parameters of faults."""
