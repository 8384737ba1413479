package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// ways in which a call says itself for which request it is: by its context
type custom struct {
	context.Context
	name string
}

type key struct{}

// contextPool makes a way of a pool whose workers get contexts with their work.
func contextPool(name string, derive func(ctx context.Context) context.Context) {
	q := newQueue()
	var once sync.Once
	way(name, func(r *http.Request, id string) {
		once.Do(func() { go q.run() })
		done, ctx := make(chan struct{}), derive(r.Context())
		q.send(func() {
			callWith(ctx, id, name)
			close(done)
		})
		<-done
	})
}

func init() {
	contextPool("context-plain", func(ctx context.Context) context.Context { return ctx })
	contextPool("context-derived", func(ctx context.Context) context.Context {
		for i := 0; i < 4; i++ {
			ctx = context.WithValue(ctx, key{}, i)
		}
		ctx, _ = context.WithCancel(ctx)
		ctx, _ = context.WithTimeout(ctx, time.Hour)
		return ctx
	})
	contextPool("context-custom", func(ctx context.Context) context.Context {
		return custom{&custom{ctx, "inner"}, "outer"}
	})
	way("context-ticker", func(r *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for n := 0; n < 2; n++ {
				<-ticker.C
				callWith(r.Context(), id, "context-ticker")
			}
			close(done)
		}()
		<-done
	})
	way("context-timer", func(r *http.Request, id string) {
		done := make(chan struct{})
		time.AfterFunc(time.Millisecond, func() {
			callWith(r.Context(), id, "context-timer")
			close(done)
		})
		<-done
	})
	// a context that has nothing to do with the request
	contextPool("shared-background", func(context.Context) context.Context {
		return custom{context.WithValue(context.Background(), key{}, 1), "none"}
	})
	// what a goroutine does when the request that started it has ended: the next one lets it go on
	var mutex sync.Mutex
	var before chan chan struct{}
	way("late", func(r *http.Request, id string) {
		mutex.Lock()
		defer mutex.Unlock()
		if before != nil {
			done := make(chan struct{})
			before <- done
			<-done
		}
		mine := make(chan chan struct{})
		before = mine
		go func() {
			done := <-mine
			call(id, "late")
			close(done)
		}()
	})
}
