"""What the adversary can do, one file a vendor."""
