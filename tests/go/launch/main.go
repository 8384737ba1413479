// Command launch becomes the program of its arguments (execve: same process, same pid), after the pause that
// LAUNCH_PAUSE says: what gosu, chamber, aws-vault and many an entrypoint do.
package main

import (
	"log"
	"os"
	"syscall"
	"time"
)

func main() {
	if pause, err := time.ParseDuration(os.Getenv("LAUNCH_PAUSE")); err == nil {
		time.Sleep(pause)
	}
	log.Fatal(syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
}
