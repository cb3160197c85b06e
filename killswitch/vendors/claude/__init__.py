"""Claude: the members, API keys and transcripts of an Anthropic organisation."""
