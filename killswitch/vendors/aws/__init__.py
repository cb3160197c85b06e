"""AWS: IAM users, their access keys, and the sessions of their roles."""
