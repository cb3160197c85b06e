"""Whether a kill would work, found out before it is needed: what ``agent-kill doctor`` asks."""
