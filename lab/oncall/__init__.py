"""The pager and how the rest of the lab talks to it."""
