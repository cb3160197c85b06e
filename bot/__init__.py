"""Slack as a door: it parses, shows and hands to ``killswitch.api``. It decides nothing."""
