package socket

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uring sends to many connections with one system call, by io_uring. The system
// calls, not what the network costs, are a fifth of a delivery. Only the oldest
// part of io_uring's interface is used, so that many kernels have it, and every
// send is over when the call returns: none waits in the kernel.
//
// A uring belongs to a shard, and is guarded by its mutex.
type uring struct {
	fd        int
	rings     [3][]byte // what is mapped
	sqes      []sqe
	cqes      []cqe
	array     []uint32
	tail      *uint32 // of the submissions; ours to move
	sqMask    uint32
	head      *uint32 // of the completions; ours to move
	completed *uint32 // their tail
	cqMask    uint32
	enter     func(fd, submit, complete int) (int, syscall.Errno)

	// all is what is to be sent. Being here, the messages are on the heap, where
	// they keep their addresses.
	all []outgoing
}

// uringSize is how many sends one call makes at most: enough to make the call
// cheap, and few enough that a garbage collection need not wait long for it.
const uringSize = 32

// sqe is what is to be done, struct io_uring_sqe of the kernel.
type sqe struct {
	opcode, flags uint8
	priority      uint16
	fd            int32
	offset        uint64
	address       uint64
	length        uint32
	messageFlags  uint32
	userData      uint64
	_             [3]uint64
}

// cqe is what came of it, struct io_uring_cqe.
type cqe struct {
	userData uint64
	result   int32
	flags    uint32
}

// params are struct io_uring_params.
type params struct {
	sqEntries, cqEntries, flags, cpu, idle, features, workers uint32
	_                                                         [3]uint32
	sq                                                        struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

const (
	opSend      = 26 // IORING_OP_SEND, since Linux 5.6
	getEvents   = 1  // IORING_ENTER_GETEVENTS
	ringSQ      = 0  // IORING_OFF_SQ_RING
	ringCQ      = 0x8000000
	ringSQEs    = 0x10000000
	sqeSize     = int(unsafe.Sizeof(sqe{}))
	cqeSize     = int(unsafe.Sizeof(cqe{}))
	paramsSize  = int(unsafe.Sizeof(params{}))
	sendPlainly = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
)

// newURing makes one, and tries it. Many systems have none: older kernels, and
// containers and machines where it is forbidden.
func newURing() (*uring, error) {
	switch runtime.GOARCH {
	case "amd64", "arm64":
	default:
		return nil, errors.New("not tried on " + runtime.GOARCH)
	}
	var p params
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, uringSize, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	u := &uring{fd: int(fd), enter: func(fd, submit, complete int) (int, syscall.Errno) {
		n, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(complete), getEvents, 0, 0)
		return int(n), errno
	}}
	for i, m := range []struct {
		at   int64
		size int
	}{
		{ringSQ, int(p.sq.array) + 4*int(p.sqEntries)},
		{ringCQ, int(p.cq.cqes) + cqeSize*int(p.cqEntries)},
		{ringSQEs, sqeSize * int(p.sqEntries)},
	} {
		b, err := syscall.Mmap(u.fd, m.at, m.size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE)
		if err != nil {
			u.close()
			return nil, os.NewSyscallError("mmap", err)
		}
		u.rings[i] = b
	}
	word := func(ring int, at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&u.rings[ring][at])) }
	u.tail, u.sqMask = word(0, p.sq.tail), *word(0, p.sq.mask)
	u.array = unsafe.Slice(word(0, p.sq.array), p.sqEntries)
	u.head, u.completed, u.cqMask = word(1, p.cq.head), word(1, p.cq.tail), *word(1, p.cq.mask)
	u.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&u.rings[1][p.cq.cqes])), p.cqEntries)
	u.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&u.rings[2][0])), p.sqEntries)
	if err := u.try(); err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

// try sends to a pair of sockets: what is sent must come, and a full one must say
// so at once.
func (u *uring) try() error {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	to, none := &shardConn{fd: int32(pair[0])}, &shardConn{fd: -1}
	defer func() { u.all = u.all[:0] }()
	u.all = append(u.all, outgoing{conn: to, message: []byte("some")}, outgoing{conn: none, message: []byte("none")})
	if n, err := u.send(); err != nil || n != 2 || u.all[0].result != 4 || u.all[1].result != -int32(syscall.EBADF) {
		return fmt.Errorf("two sends came to %d, %v: %d, %d", n, err, u.all[0].result, u.all[1].result)
	}
	b := make([]byte, 8)
	if n, err := syscall.Read(pair[1], b); n != 4 || string(b[:4]) != "some" {
		return fmt.Errorf("what was sent did not come: %q, %v", b, err)
	}
	u.all = append(u.all[:0], outgoing{conn: to, message: make([]byte, 4096)})
	for range 4096 {
		if n, err := u.send(); err != nil || n != 1 {
			return fmt.Errorf("one send came to %d, %v", n, err)
		}
		if u.all[0].result == -int32(syscall.EAGAIN) {
			return nil
		}
	}
	return errors.New("a full socket took everything")
}

// outgoing is a message on its way to one connection.
type outgoing struct {
	conn    *shardConn
	message []byte
	result  int32 // bytes that it took, or below zero an error's number
}

// send sends all, at most uringSize, and sets their results. It gives how many it
// sent; with those behind nothing was done. With an error it is not to be used
// again.
func (u *uring) send() (sent int, err error) {
	all := u.all
	tail := *u.tail // nobody else moves it
	for i := range all {
		o := &all[i]
		o.result = -int32(syscall.EIO) // if it is never told
		at := tail & u.sqMask
		u.sqes[at] = sqe{
			opcode: opSend, fd: o.conn.fd, messageFlags: sendPlainly, userData: uint64(i),
			address: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(o.message)))), length: uint32(len(o.message)),
		}
		u.array[at] = at
		tail++
	}
	atomic.StoreUint32(u.tail, tail)
	sent, errno := u.enter(u.fd, len(all), len(all))
	if errno != 0 {
		sent = 0
	}
	if sent < len(all) { // the kernel looks at the rest only when it is called
		atomic.StoreUint32(u.tail, tail-uint32(len(all)-sent))
	}
	for seen := u.reap(); seen < sent; seen += u.reap() {
		if _, errno := u.enter(u.fd, 0, 1); errno != 0 && errno != syscall.EINTR {
			return sent, os.NewSyscallError("io_uring_enter", errno)
		}
	}
	runtime.KeepAlive(u)
	switch errno {
	case 0, syscall.EINTR, syscall.EAGAIN, syscall.EBUSY, syscall.ENOMEM: // it may go on later
		return sent, nil
	}
	return sent, os.NewSyscallError("io_uring_enter", errno)
}

// reap takes the completions that are there.
func (u *uring) reap() (n int) {
	head, end := *u.head, atomic.LoadUint32(u.completed)
	for ; head != end; head++ {
		c := &u.cqes[head&u.cqMask]
		u.all[c.userData].result = c.result
		n++
	}
	atomic.StoreUint32(u.head, head)
	return n
}

// close lets go of it.
func (u *uring) close() {
	for _, b := range u.rings {
		if b != nil {
			syscall.Munmap(b)
		}
	}
	syscall.Close(u.fd)
}

// tally counts what became of a message's writes.
type tally struct {
	written, waiting, dropped int
	lagging
}

func (t *tally) count(c *shardConn, p pushed) {
	switch p {
	case written:
		t.written++
	case waiting:
		t.waiting++
		t.lagging.count(c)
	case dropped:
		t.dropped++
	}
}

// put is push for a fan-out: with a uring, messages leave together, at the latest
// with sendAll. shard.mu is held until then.
func (s *shard) put(c *shardConn, message []byte, t *tally) {
	if s.uring == nil || len(message) >= longWrite {
		t.count(c, c.push(message))
		return
	}
	if c.sending { // twice in one fan-out: in order, and not behind half a message
		s.sendAll(t)
	}
	if c.out != nil || c.corked || c.gone || c.end != nil {
		t.count(c, c.push(message))
		return
	}
	c.sending = true
	if s.uring.all = append(s.uring.all, outgoing{conn: c, message: message}); len(s.uring.all) == uringSize {
		s.sendAll(t)
	}
}

// sendAll sends what was put. s.mu is held.
func (s *shard) sendAll(t *tally) {
	u := s.uring
	if u == nil || len(u.all) == 0 {
		return
	}
	sent := 0
	if len(u.all) > 1 { // one is a call either way
		var err error
		if sent, err = u.send(); err != nil {
			s.engine.cfg.Logger.Error("io_uring fails: going on with a system call for each message", "error", err)
			s.uring = nil
			defer u.close()
		}
	}
	for i := range u.all {
		o := &u.all[i]
		o.conn.sending = false
		switch {
		case i >= sent:
			t.count(o.conn, o.conn.push(o.message))
		case o.result < 0:
			t.count(o.conn, o.conn.pushed(o.message, 0, syscall.Errno(-o.result)))
		default:
			t.count(o.conn, o.conn.pushed(o.message, int(o.result), 0))
		}
	}
	clear(u.all)
	u.all = u.all[:0]
}
