"""A run, from the first process to the summary: the only place with time, threads and signals."""
