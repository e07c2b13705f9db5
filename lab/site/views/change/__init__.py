"""Views about changes: policies, rollouts, the change log and the budget ledger."""
