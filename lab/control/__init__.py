"""Control actions on the running lab, for people, runbooks, drills and the console. One audited function per verb."""
