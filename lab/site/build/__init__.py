"""The parts of the built site besides pages: data files, npm packages and performance budgets."""
