package socket_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/socket"
)

// How connections come in.

// descriptors says how many descriptors this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// cpu is the CPU time of this process.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// complaints counts what is logged as an error.
type complaints struct {
	slog.Handler
	n *atomic.Int64
}

func (c complaints) Enabled(context.Context, slog.Level) bool { return true }
func (c complaints) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		c.n.Add(1)
	}
	return nil
}

// A process without a descriptor to spare leaves new connections waiting,
// without haste, and takes them when it has one.
func TestOutOfDescriptors(t *testing.T) {
	var errors atomic.Int64
	b := listen(t, sharded(t, 3), socket.Config{Logger: slog.New(complaints{n: &errors})})
	b.connect()
	address := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	fmt.Sscanf(b.address, "127.0.0.1:%d", &address.Port)
	var clients []int
	for range 3 {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, fd)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(descriptors(t) + 20)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) })
	var taken []int
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	for _, fd := range clients {
		if err := syscall.Connect(fd, address); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Write(fd, []byte(request(target))); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "a complaint", func() bool { return errors.Load() > 0 })
	busy := cpu(t)
	time.Sleep(450 * time.Millisecond)
	if busy = cpu(t) - busy; busy > 200*time.Millisecond || errors.Load() > 1 {
		t.Errorf("%s of CPU time and %d complaints in half a second", busy, errors.Load())
	}
	for _, fd := range taken {
		syscall.Close(fd)
	}
	for _, fd := range clients {
		file := os.NewFile(uintptr(fd), "client")
		nc, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		p := newPeer(t, nc)
		p.switched()
		p.message()
		p.wantNothing()
	}
}

// Shards share the connections, however few come at a time.
func TestShardsShareTheConnections(t *testing.T) {
	b := listen(t, sharded(t, 4), socket.Config{})
	const n = 80
	for range n {
		b.connect().wantNothing()
	}
	for i, load := range b.sharded().Load() {
		if load < n/4/2 || load > n/4*2 { // a shard that is busy is passed over
			t.Errorf("shard %d has %d of %d", i, load, n)
		}
	}
}
