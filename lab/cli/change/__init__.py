"""Commands about changes: rollouts, the change log, and the error-budget policy that allows them."""
