"""The live console: the process that serves the built site and the API that makes its console live."""
