"""What plugins share: trace contexts, secrets, addresses, header blocks."""
