"""What is kept of an incident: signals, counts, milestones, definitions, and the record that proves itself."""
