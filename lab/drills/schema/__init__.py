"""The documents that drills write, as frozen types: records, journals, their figures, and the parameters of faults."""
