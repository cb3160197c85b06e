"""The rehearsal: a simulated corporation on loopback."""
