package main

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
)

// ways are by name how a request gets its call made; each returns when it was. Names that begin with "shared" are of
// goroutines that work for whoever comes, and that the first request starts.
var ways = map[string]func(r *http.Request, id string){}

func way(name string, do func(r *http.Request, id string)) { ways[name] = do }

// pool makes a way of a pool: start is called for the first piece of work, put for each.
func pool(name string, start func(), put func(job func())) {
	var once sync.Once
	way(name, func(_ *http.Request, id string) {
		once.Do(start)
		done := make(chan struct{})
		put(func() {
			call(id, name)
			close(done)
		})
		<-done
	})
}

type queue struct {
	jobs  chan func()
	wake  chan struct{}
	mutex sync.Mutex
	cond  *sync.Cond
	list  []func()
	busy  bool
}

func newQueue() *queue {
	q := &queue{jobs: make(chan func()), wake: make(chan struct{}, 1)}
	q.cond = sync.NewCond(&q.mutex)
	return q
}

func (q *queue) send(job func()) { q.jobs <- job }

func (q *queue) push(job func()) {
	q.mutex.Lock()
	q.list = append(q.list, job)
	q.mutex.Unlock()
	q.cond.Signal()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) pop() func() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.list) == 0 {
		return nil
	}
	job := q.list[0]
	q.list = q.list[1:]
	return job
}

// one loop with a select
func (q *queue) run() {
	quit := time.NewTimer(time.Hour)
	for {
		select {
		case job := <-q.jobs:
			job()
		case <-quit.C:
			return
		}
	}
}

// a function that hands out work
func (q *queue) next() func() {
	select {
	case job := <-q.jobs:
		return job
	case <-time.After(time.Hour):
		return nil
	}
}

func (q *queue) runNext() {
	for job := q.next(); job != nil; job = q.next() {
		job()
	}
}

func (q *queue) runCond() {
	for {
		q.mutex.Lock()
		for len(q.list) == 0 {
			q.cond.Wait()
		}
		job := q.list[0]
		q.list = q.list[1:]
		q.mutex.Unlock()
		job()
	}
}

func (q *queue) take() func() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for len(q.list) == 0 {
		q.cond.Wait()
	}
	job := q.list[0]
	q.list = q.list[1:]
	return job
}

func (q *queue) runTake() {
	for {
		q.take()()
	}
}

// a signal, and a list that is looked into when it comes
func (q *queue) runWake() {
	for {
		<-q.wake
		for job := q.pop(); job != nil; job = q.pop() {
			job()
		}
	}
}

// a list that is worked off by who finds it empty, without waiting for more
func (q *queue) drain() {
	for {
		q.mutex.Lock()
		if len(q.list) == 0 {
			q.busy = false
			q.mutex.Unlock()
			return
		}
		job := q.list[0]
		q.list = q.list[1:]
		q.mutex.Unlock()
		job()
	}
}

// one piece of work each: who has taken one starts the next goroutine
func (q *queue) lead() {
	job := <-q.jobs
	go q.lead()
	job()
}

func (q *queue) dispatch() {
	for job := range q.jobs {
		go job()
	}
}

func (q *queue) runReflect() {
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(q.jobs)}}
	for {
		_, job, ok := reflect.Select(cases)
		if !ok {
			return
		}
		job.Call(nil)
	}
}

// work that comes with what it is about, and results that go back
func worker(jobs <-chan string, results chan<- string) {
	for id := range jobs {
		call(id, "shared-results")
		results <- id
	}
}

// a switch with so many cases that it is a jump through a table
func (q *queue) runSwitch(kinds chan int) {
	for kind := range kinds {
		switch kind {
		case 0:
			(<-q.jobs)()
		case 1:
			kind += 3
		case 2:
			kind *= 7
		case 3:
			return
		case 4:
			kind -= 2
		case 5:
			kind /= 3
		case 6:
			kind ^= 5
		case 7:
			kind |= 9
		case 8:
			kind &= 4
		}
		_ = kind
	}
}

// a group as many libraries have one: what is called is in the closure
type group struct{ sync.WaitGroup }

func (g *group) start(f func()) {
	g.Add(1)
	go func() {
		defer g.Done()
		f()
	}()
}

func guarded(f func()) {
	defer func() { _ = recover() }()
	f()
}

func (g *group) startGuarded(f func()) {
	g.Add(1)
	go func() {
		defer g.Done()
		guarded(f)
	}()
}

func spawn(f func()) { go f() }

// who only knows an interface
type runner interface {
	stop()
	run()
}

func (q *queue) stop() {}

func startRunner(r runner) { go r.run() }

func init() {
	q := newQueue()
	pool("shared-range", func() {
		go func() {
			for job := range q.jobs {
				job()
			}
		}()
	}, q.send)
	method := newQueue()
	pool("shared-method", func() { go method.run() }, method.send)
	named := newQueue()
	pool("shared-closure", func() {
		var all sync.WaitGroup
		all.Add(1)
		go func() {
			defer all.Done()
			named.run()
		}()
	}, named.send)
	grouped := newQueue()
	pool("shared-group", func() { new(group).start(grouped.run) }, grouped.send)
	guardedQueue := newQueue()
	pool("shared-guarded", func() { new(group).startGuarded(guardedQueue.run) }, guardedQueue.send)
	within := newQueue()
	pool("shared-group-closure", func() { new(group).start(func() { within.run() }) }, within.send)
	spawned := newQueue()
	pool("shared-spawned", func() { spawn(spawned.run) }, spawned.send)
	known := newQueue()
	pool("shared-interface", func() { startRunner(known) }, known.send)
	next := newQueue()
	pool("shared-next", func() { go next.runNext() }, next.send)
	cond := newQueue()
	pool("shared-cond", func() { go cond.runCond() }, cond.push)
	taken := newQueue()
	pool("shared-take", func() { go taken.runTake() }, taken.push)
	woken := newQueue()
	pool("shared-wake", func() { go woken.runWake() }, woken.push)
	wokenBelow := newQueue()
	pool("shared-wake-closure", func() {
		go func() {
			defer log1()
			wokenBelow.runWake()
		}()
	}, wokenBelow.push)
	led := newQueue()
	pool("shared-lead", func() { go led.lead() }, led.send)
	dispatched := newQueue()
	pool("shared-dispatch", func() { go dispatched.dispatch() }, dispatched.send)
	reflected := newQueue()
	pool("shared-reflect", func() { go reflected.runReflect() }, reflected.send)
	switched, kinds := newQueue(), make(chan int)
	pool("shared-switch", func() { go switched.runSwitch(kinds) }, func(job func()) {
		kinds <- 0
		switched.send(job)
	})
	drained := newQueue()
	way("shared-drain", func(r *http.Request, id string) {
		done := make(chan struct{})
		drained.push(func() {
			call(id, "shared-drain")
			close(done)
			if strings.HasPrefix(r.URL.Path, "/open/") { // until there is work of somebody else
				<-drained.wake
			}
		})
		drained.mutex.Lock()
		start := !drained.busy
		drained.busy = true
		drained.mutex.Unlock()
		if start {
			<-drained.wake
			go drained.drain()
		}
		<-done
	})
	jobs, results := make(chan string), make(chan string)
	var once sync.Once
	way("shared-results", func(_ *http.Request, id string) {
		once.Do(func() {
			var all sync.WaitGroup
			all.Add(1)
			go func() {
				defer all.Done()
				worker(jobs, results)
			}()
		})
		jobs <- id
		<-results
	})
	// what runs later, on a goroutine that a timer starts
	way("shared-timer", func(_ *http.Request, id string) {
		done := make(chan struct{})
		time.AfterFunc(time.Millisecond, func() {
			call(id, "shared-timer")
			close(done)
		})
		<-done
	})
	// what is asked for again and again: whose that is, nothing tells
	way("shared-ticker", func(_ *http.Request, id string) {
		done := make(chan struct{})
		go func() {
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for n := 0; n < 2; n++ {
				<-ticker.C
				call(id, "shared-ticker")
			}
			close(done)
		}()
		<-done
	})
}

func log1() {}
