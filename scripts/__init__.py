"""Small programs for maintainers, which call tools such as promtool directly through subprocess."""
