"""What Go and native programs share: ELF files, machine code, DWARF, and the questions that the rest asks."""
