package asynqqueue_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/asynqqueue"
)

// workerProcess is what the test program does as a worker of its own: it prints
// the id of each job that it begins, until it is killed.
func workerProcess(addr, name string) {
	d, err := asynqqueue.New(asynqqueue.Config{Addr: addr})
	if err != nil {
		panic(err)
	}
	_ = d.Work(context.Background(), queue.Crew{Worker: name, Queues: []string{"default"}, Concurrency: 4, Take: func(a queue.Attempt) func(context.Context) queue.Verdict {
		return func(context.Context) queue.Verdict {
			fmt.Println(a.Job.ID, a.Delivery)
			return queue.Verdict{}
		}
	}})
}

// Every job that was acknowledged runs, though the worker's process is killed
// again and again, and only those that it had in hand run twice.
func TestWorkerProcessesAreKilled(t *testing.T) {
	addr := redisServer(t)
	d, _ := open(t, addr)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sent := 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; sent++ {
			if err := d.Enqueue(context.Background(), nil, []belfry.Job{job(fmt.Sprint("j", sent))}); err != nil {
				t.Error(err)
			}
			wait(500 * time.Microsecond)
		}
	}()
	var mu sync.Mutex
	ran := map[string]int{}
	var readers sync.WaitGroup
	const kills = 20
	for n := range kills + 1 {
		name := fmt.Sprint("p", n)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ASYNQQUEUE_WORKER="+name, "ASYNQQUEUE_REDIS="+addr)
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = in, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in.Close()
		began := make(chan struct{}, 1)
		readers.Go(func() {
			defer out.Close()
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var id string
				var delivery int
				if _, err := fmt.Sscan(lines.Text(), &id, &delivery); err != nil {
					continue // cut by the kill
				}
				mu.Lock()
				ran[id]++
				mu.Unlock()
				select {
				case began <- struct{}{}:
				default:
				}
			}
		})
		select {
		case <-began:
		case <-time.After(patience):
			t.Error("the worker process does nothing")
		}
		if n == kills { // the last may finish
			cancel()
			<-ended
			empty(t, d)
		} else {
			wait(rand.N(30 * time.Millisecond))
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := d.GiveBack(t.Context(), []string{name}); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
	repeats := 0
	for i := range sent {
		n := ran[fmt.Sprint("j", i)]
		if n == 0 {
			t.Errorf("j%d did not run", i)
		}
		repeats += max(0, n-1)
	}
	t.Logf("%d jobs, %d repeats", sent, repeats)
	// A kill may come between the end of jobs and the turn that says so.
	if repeats > kills*8 {
		t.Errorf("%d jobs ran twice", repeats)
	}
}
