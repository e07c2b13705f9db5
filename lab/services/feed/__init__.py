"""The feed service, in two versions: what a viewer should read next, best first."""
