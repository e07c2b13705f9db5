"""Markdown extensions that the site's build uses."""
