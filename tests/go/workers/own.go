package main

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

// ways in which a request's own goroutines make calls: those are part of it
func init() {
	way("own-plain", func(_ *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			call(id, "own-plain")
			close(done)
		}()
		<-done
	})
	way("own-sequence", func(_ *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; i < 3; i++ {
				call(id, "own-sequence")
			}
		}()
		<-done
	})
	way("own-nested", func(_ *http.Request, id string) {
		done := make(chan struct{})
		down(7, func() {
			call(id, "own-nested")
			close(done)
		})
		<-done
	})
	way("own-fan", func(_ *http.Request, id string) {
		results := make(chan int, 4)
		var mutex sync.Mutex
		var all []int
		for i := 0; i < 4; i++ {
			go func(i int) {
				for n := 0; n < 2; n++ {
					call(id, "own-fan")
					mutex.Lock()
					all = append(all, i)
					mutex.Unlock()
				}
				results <- i
			}(i)
		}
		for i := 0; i < 4; i++ {
			<-results
		}
	})
	way("own-gather", func(_ *http.Request, id string) {
		done := make(chan []int)
		go func() {
			results := make(chan int)
			for i := 0; i < 3; i++ {
				go func(i int) {
					call(id, "own-gather")
					results <- i
				}(i)
			}
			var all []int
			for i := 0; i < 3; i++ {
				all = append(all, <-results)
			}
			call(id, "own-gather")
			done <- all
		}()
		<-done
	})
	way("own-limit", func(_ *http.Request, id string) {
		limit := make(chan struct{}, 2)
		var all sync.WaitGroup
		for i := 0; i < 4; i++ {
			limit <- struct{}{}
			all.Add(1)
			go func() {
				defer all.Done()
				defer func() { <-limit }()
				call(id, "own-limit")
			}()
		}
		all.Wait()
	})
	way("own-group", func(_ *http.Request, id string) {
		var g group
		for i := 0; i < 2; i++ {
			g.start(func() { call(id, "own-group") })
			g.startGuarded(func() { call(id, "own-group") })
		}
		g.Wait()
	})
	way("own-spawned", func(_ *http.Request, id string) {
		done := make(chan struct{})
		spawn(func() {
			call(id, "own-spawned")
			close(done)
		})
		<-done
	})
	way("own-until-left", func(r *http.Request, id string) {
		done, left := make(chan struct{}), r.Context().Done()
		go func() {
			defer close(done)
			for i := 0; i < 3; i++ {
				select {
				case <-left:
					return
				default:
				}
				call(id, "own-until-left")
			}
		}()
		<-done
	})
	way("own-retry", func(_ *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; i < 3; i++ {
				call(id, "own-retry")
				time.Sleep(time.Millisecond)
			}
		}()
		<-done
	})
	way("own-timeout", func(_ *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; i < 2; i++ {
				within(time.Minute, func() { call(id, "own-timeout") })
			}
		}()
		<-done
	})
	way("own-pipe", func(_ *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			var buffer bytes.Buffer
			lines := make(chan string, 3)
			for _, line := range []string{"a", "b", "c"} {
				lines <- line
			}
			close(lines)
			for line := range lines { // nothing is called here
				buffer.WriteString(line)
			}
			call(id, "own-pipe")
		}()
		<-done
	})
	way("own-handler", func(_ *http.Request, id string) {
		ready := make(chan struct{}, 2)
		for i := 0; i < 2; i++ {
			ready <- struct{}{}
			<-ready
			call(id, "own-handler")
		}
	})
}

func down(levels int, f func()) {
	if levels == 0 {
		f()
		return
	}
	go down(levels-1, f)
}

// within waits for f, but not for ever.
func within(limit time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
