"""From ring buffer bytes to spans."""
