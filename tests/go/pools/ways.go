package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Jeffail/tunny"
	"github.com/alitto/pond"
	pond2 "github.com/alitto/pond/v2"
	"github.com/bytedance/gopkg/util/gopool"
	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	"github.com/robfig/cron/v3"
	conc "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
)

// ways are by name how a request gets its call made; each returns when it was. Those that begin with "shared" do it on
// goroutines that work for whoever comes; the first request makes the pool.
var ways = map[string]func(r *http.Request, id string){}

func way(name string, do func(r *http.Request, id string)) { ways[name] = do }

// pool makes a way of a pool that make gives, when the first request comes, by how work is put into it.
func pool(name string, make func() (put func(job func()))) {
	var once sync.Once
	var put func(job func())
	way(name, func(_ *http.Request, id string) {
		once.Do(func() { put = make() })
		await(func(done func()) {
			put(func() {
				call(id, name)
				done()
			})
		})
	})
}

func await(do func(done func())) {
	ended := make(chan struct{})
	do(func() { close(ended) })
	<-ended
}

// list makes a way of a pool whose workers end when nothing waits: the first one is kept until something does.
func list(name string, put func(job func())) {
	var count int32
	more := make(chan struct{})
	way(name, func(_ *http.Request, id string) {
		n := atomic.AddInt32(&count, 1)
		await(func(done func()) {
			put(func() {
				call(id, name)
				done()
				if n == 1 {
					<-more
				}
			})
			if n == 2 {
				close(more)
			}
		})
	})
}

func init() {
	pool("shared-ants", func() func(func()) {
		workers, _ := ants.NewPool(1)
		return func(job func()) { _ = workers.Submit(job) }
	})
	pool("shared-ants-func", func() func(func()) {
		workers, _ := ants.NewPoolWithFunc(1, func(job interface{}) { job.(func())() })
		return func(job func()) { _ = workers.Invoke(job) }
	})
	pool("shared-ants-generic", func() func(func()) {
		workers, _ := ants.NewPoolWithFuncGeneric(1, func(job func()) { job() })
		return func(job func()) { _ = workers.Invoke(job) }
	})
	pool("shared-ants-multi", func() func(func()) {
		workers, _ := ants.NewMultiPool(2, 1, ants.RoundRobin)
		return func(job func()) { _ = workers.Submit(job) }
	})
	pool("shared-workerpool", func() func(func()) { return workerpool.New(1).Submit })
	pool("shared-pond", func() func(func()) { return pond.New(1, 8).Submit })
	pool("shared-conc", func() func(func()) { return conc.New().WithMaxGoroutines(1).Go })
	pool("shared-conc-context", func() func(func()) {
		workers := conc.New().WithMaxGoroutines(1).WithContext(context.Background())
		return func(job func()) {
			workers.Go(func(context.Context) error {
				job()
				return nil
			})
		}
	})
	pool("shared-tunny", func() func(func()) {
		workers := tunny.NewCallback(1)
		return func(job func()) { workers.Process(job) }
	})
	pool("shared-cron", func() func(func()) {
		jobs := cron.New(cron.WithSeconds())
		jobs.Start()
		return func(job func()) {
			var once sync.Once
			jobs.Schedule(cron.Every(time.Second), cron.FuncJob(func() { once.Do(job) }))
		}
	})
	list("shared-pond2", func() func(func()) {
		workers := pond2.NewPool(1)
		return func(job func()) { workers.Submit(job) }
	}())
	list("shared-pond2-sub", func() func(func()) {
		workers := pond2.NewPool(1).NewSubpool(1)
		return func(job func()) { workers.Submit(job) }
	}())
	list("shared-gopool", gopool.NewPool("test", 1, gopool.NewConfig()).Go)

	way("own-errgroup", func(_ *http.Request, id string) {
		var all errgroup.Group
		for i := 0; i < 3; i++ {
			all.Go(func() error {
				call(id, "own-errgroup")
				call(id, "own-errgroup")
				return nil
			})
		}
		_ = all.Wait()
	})
	way("own-errgroup-limit", func(_ *http.Request, id string) {
		var all errgroup.Group
		all.SetLimit(1)
		for i := 0; i < 3; i++ {
			all.Go(func() error {
				call(id, "own-errgroup-limit")
				return nil
			})
		}
		_ = all.Wait()
	})
	way("own-semaphore", func(_ *http.Request, id string) {
		limit := semaphore.NewWeighted(1)
		var all sync.WaitGroup
		for i := 0; i < 3; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for n := 0; n < 2; n++ {
					_ = limit.Acquire(context.Background(), 1)
					call(id, "own-semaphore")
					limit.Release(1)
				}
			}()
		}
		all.Wait()
	})
	way("own-singleflight", func(_ *http.Request, id string) {
		var flights singleflight.Group
		<-flights.DoChan("key", func() (interface{}, error) {
			call(id, "own-singleflight")
			return nil, nil
		})
	})
}
