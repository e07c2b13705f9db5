"""Changes to a service: the error-budget policy that allows or refuses them, the change log, and who spent a budget."""
