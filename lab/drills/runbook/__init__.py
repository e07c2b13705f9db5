"""The runbook as a program: parsed from its page, and executed command by command."""
