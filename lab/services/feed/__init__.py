"""The feed service, in two versions: the ranked posts that a viewer should read next."""
