"""The tables that Go's runtime has of its own code: functions, lines, what is inlined where."""
