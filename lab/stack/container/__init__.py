"""The same processes in containers, from the same program table. compose.yaml assigns a program to each container."""
