"""Okta: suspend a user, end sessions and tokens, withdraw consent; who somebody is."""
