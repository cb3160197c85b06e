"""The nouns: data, states and the contract. No I/O; imports nothing else of ours."""
