"""What was there before we touched it, sealed."""
