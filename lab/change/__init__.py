"""Changes to a service: the error-budget policy that allows or refuses them, and its overrides."""
