"""BPF maps, programs and links: what talks to the kernel. Nothing in here knows a plugin."""
