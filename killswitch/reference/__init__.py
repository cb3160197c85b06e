"""docs/reference, written from the code itself so that it cannot be out of date.

``python -m killswitch.reference`` writes it; a test fails where it is stale.
"""
