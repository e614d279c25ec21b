package bench

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/belfryhq/belfry/internal/uring"
)

// newSwarm gives the cheapest swarm for what is asked.
func newSwarm(cfg swarmConfig) (swarm, error) {
	if cfg.tls != nil || cfg.portable {
		return newPortable(cfg), nil
	}
	return newEpoll(cfg)
}

// link is what a swarm keeps with a session.
type link struct {
	portableLink
	fd     int32
	slot   int32
	opened int64
}

// epoll serves all sessions in one goroutine on a thread of its own.
type epoll struct {
	cfg  swarmConfig
	ep   int
	wake int // an eventfd
	done chan struct{}

	mu       sync.Mutex // guards commands, closed
	commands []func()
	closed   bool

	// The loop's own.
	slots   []*session // by slot; never used twice, so a late event finds an ended session
	buf     []byte
	ring    *uring.Ring // reads from many sockets at once; nil where that is not to be had
	many    []byte      // what it reads into
	calls   []uring.Call
	readers []*session // of the calls
	queue   []*session // to be connected
	flying  int        // being connected
	atOnce  int
	landed  chan struct{} // closed when queue and flying are empty
	began   int64         // of reading, for the limit
	already uint64
}

const wakeSlot = -1

func newEpoll(cfg swarmConfig) (*epoll, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err == nil {
		err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot})
	}
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("make eventfd: %w", err)
	}
	e := &epoll{cfg: cfg, ep: ep, wake: wake, done: make(chan struct{}), buf: make([]byte, 2*maxFrame)}
	if ring, err := uring.Open(); err == nil && cfg.limit <= 0 {
		e.ring, e.many = ring, make([]byte, uring.Size*together)
	}
	go e.loop()
	return e, nil
}

func (e *epoll) kind() string { return "epoll" }

// do posts f to the loop and waits for it.
func (e *epoll) do(f func()) {
	ran := make(chan struct{})
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		<-e.done
		f()
		return
	}
	e.commands = append(e.commands, func() { f(); close(ran) })
	e.mu.Unlock()
	unix.Write(e.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-ran
}

func (e *epoll) close() {
	e.do(func() {
		for _, s := range e.slots {
			e.cut(s, nil)
		}
	})
	e.mu.Lock()
	again := e.closed
	e.closed = true
	e.mu.Unlock()
	if !again {
		unix.Write(e.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	<-e.done
}

func (e *epoll) loop() {
	runtime.LockOSThread()
	defer func() {
		runtime.UnlockOSThread()
		e.mu.Lock()
		e.closed = true
		left := e.commands
		e.mu.Unlock()
		for _, f := range left {
			f()
		}
		if e.ring != nil {
			e.ring.Close()
		}
		unix.Close(e.ep)
		unix.Close(e.wake)
		close(e.done)
	}()
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(e.ep, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		woken := false
		for i := range max(n, 0) {
			if events[i].Fd == wakeSlot {
				woken = true
				continue
			}
			if s := e.slots[events[i].Fd]; s.phase == ready && e.ring != nil {
				e.readLater(s)
			} else if s.phase != ended {
				e.serve(s, events[i].Events)
			}
		}
		e.readAll()
		e.cfg.gauge.set(e.cfg.tally.delivered)
		e.throttle()
		if woken && !e.obey() {
			return
		}
	}
}

// obey runs what was posted; false when it is time to end.
func (e *epoll) obey() bool {
	var count [8]byte
	unix.Read(e.wake, count[:])
	for {
		e.mu.Lock()
		commands, closed := e.commands, e.closed
		e.commands = nil
		e.mu.Unlock()
		if len(commands) == 0 {
			return !closed
		}
		for _, f := range commands {
			f()
		}
	}
}

// throttle sleeps while more was read than the limit allows.
func (e *epoll) throttle() {
	if e.cfg.limit <= 0 {
		return
	}
	t := e.cfg.tally
	if t.delivered < e.already || e.began == 0 { // a new window
		e.began, e.already = e.cfg.clock.now(), t.delivered
	}
	allowed := float64(e.cfg.clock.now()-e.began) * e.cfg.limit / 1e9
	if over := float64(t.delivered-e.already) - allowed; over > 0 {
		time.Sleep(min(time.Duration(over/e.cfg.limit*1e9), 100*time.Millisecond))
	}
}

// serve does what an event of a session's socket asks for.
func (e *epoll) serve(s *session, events uint32) {
	if s.phase == upgrading && s.opened == 0 {
		s.opened = e.cfg.clock.now()
		failure, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && failure != 0 {
			err = unix.Errno(failure)
		}
		if err == nil {
			err = e.watch(unix.EPOLL_CTL_MOD, s, unix.EPOLLIN)
		}
		if err == nil {
			_, err = unix.Write(int(s.fd), s.open())
		}
		if err != nil {
			e.end(s, fmt.Errorf("connect: %w", err))
		}
		return
	}
	was := s.phase
	err := e.read(s)
	if was != ready && s.phase == ready {
		e.flying--
		e.launch()
	}
	if err != nil {
		e.end(s, err)
	}
}

// read reads once and hands it to the session.
func (e *epoll) read(s *session) error {
	kept, room := copy(e.buf, s.tail), len(e.buf)
	if e.cfg.limit > 0 { // all connections are to fall behind alike
		room = min(room, kept+slowRead)
	}
	n, errno := readNow(int(s.fd), e.buf[kept:room])
	return e.took(s, e.buf, kept, n, errno)
}

// took hands a session what it kept and what was read behind that.
func (e *epoll) took(s *session, buf []byte, kept, n int, errno unix.Errno) error {
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return nil
	case errno != 0:
		return fmt.Errorf("%w (%w)", errGone, os.NewSyscallError("read", errno))
	case n == 0:
		return errGone
	}
	reply, err := s.take(buf[:kept+n], e.cfg.clock.now())
	if len(reply) > 0 {
		// A reply is short and rare: that its socket is full means that the server
		// does not read.
		if _, werr := unix.Write(int(s.fd), reply); werr != nil && err == nil {
			err = fmt.Errorf("%w (%w)", errGone, os.NewSyscallError("write", werr))
		}
	}
	return err
}

// together is what one read takes when many are made at once.
const together = 32 << 10

// readLater has a session read with others, at the latest by readAll.
func (e *epoll) readLater(s *session) {
	i := len(e.calls)
	if len(s.tail) >= together/2 { // a long message: on its own
		e.serve(s, unix.EPOLLIN)
		return
	}
	buf := e.many[i*together : (i+1)*together]
	e.calls = append(e.calls, uring.Call{FD: s.fd, Receive: true, Buffer: buf[copy(buf, s.tail):]})
	if e.readers = append(e.readers, s); len(e.readers) == uring.Size {
		e.readAll()
	}
}

// readAll reads for those who were told to read later.
func (e *epoll) readAll() {
	if len(e.calls) == 0 {
		return
	}
	made, err := e.ring.Do(e.calls)
	if err != nil {
		e.ring.Close()
		e.ring = nil
	}
	for i, s := range e.readers {
		call := &e.calls[i]
		switch {
		case i >= made:
			e.serve(s, unix.EPOLLIN)
			continue
		case call.Result < 0:
			err = e.took(s, nil, 0, 0, unix.Errno(-call.Result))
		default:
			err = e.took(s, e.many[i*together:(i+1)*together], together-len(call.Buffer), int(call.Result), 0)
		}
		if err != nil {
			e.end(s, err)
		}
	}
	clear(e.calls)
	clear(e.readers)
	e.calls, e.readers = e.calls[:0], e.readers[:0]
}

// slowRead is what one read takes when reading is limited.
const slowRead = 16 << 10

// readNow reads without telling the scheduler: the socket does not block.
func readNow(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}

// end counts a session's end and closes its socket.
func (e *epoll) end(s *session, cause error) {
	connecting := s.phase != ready && s.phase != ended
	e.cut(s, cause)
	if connecting {
		e.flying--
		e.launch()
	}
}

func (e *epoll) cut(s *session, cause error) {
	if s.phase == ended {
		return
	}
	s.end(cause)
	if s.fd >= 0 {
		unix.Close(int(s.fd))
		s.fd = -1
	}
}

func (e *epoll) drop(list []*session) {
	e.do(func() {
		for _, s := range list {
			e.cut(s, nil)
		}
	})
}

func (e *epoll) pause(list []*session) {
	e.do(func() {
		for _, s := range list {
			if s.phase == ready {
				e.watch(unix.EPOLL_CTL_DEL, s, 0)
			}
		}
	})
}

func (e *epoll) resume(list []*session) {
	e.do(func() {
		for _, s := range list {
			if s.phase == ready {
				e.watch(unix.EPOLL_CTL_ADD, s, unix.EPOLLIN)
			}
		}
	})
}
