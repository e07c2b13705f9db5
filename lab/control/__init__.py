"""What a person, a runbook, a drill or the console may do to the running system: one function a verb, each audited."""
