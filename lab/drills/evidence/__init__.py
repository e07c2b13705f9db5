"""The evidence of an incident: signals, event counts, milestones, figures, and the record with its verification."""
