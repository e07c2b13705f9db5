"""The same processes in containers, from the same program table; compose.yaml says which container runs which."""
