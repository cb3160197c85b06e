"""Google SecOps: the alerts of its detection rules, read only."""
