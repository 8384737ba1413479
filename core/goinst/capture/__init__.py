"""Captures: values of a running program by typed expressions, and the BPF, record and decoder that fetch them."""
