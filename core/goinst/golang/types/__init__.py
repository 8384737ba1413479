"""Go types: descriptors in the program, their text, layouts, and where the ABI puts their values."""
