// Command idle does nothing, and ends at once: no plugin finds anything in it.
package main

func main() {}
