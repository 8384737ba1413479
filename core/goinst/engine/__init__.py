"""From a plan to programs that run in the kernel."""
