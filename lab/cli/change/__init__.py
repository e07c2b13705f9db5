"""Commands about changes: rollouts, and the error-budget policy that allows them."""
