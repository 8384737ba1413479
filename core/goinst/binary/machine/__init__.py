"""Machine code: what each instruction does to the arguments of a call, and what the kernel does with a probe on it."""
