"""One folder a vendor, all alike."""
