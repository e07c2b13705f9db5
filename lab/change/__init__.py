"""Changes to a service: the error-budget policy that allows or refuses them, its overrides, and who spent a budget."""
