"""Splunk: the trail that a subject left in the SIEM. Evidence only, no actions."""
