package uring

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

// Ring makes calls. It is not safe for concurrent use, but may be used by one
// goroutine after another.
type Ring struct {
	fd        int
	maps      [3][]byte // what is mapped
	sqes      []sqe
	cqes      []cqe
	array     []uint32
	tail      *uint32 // of the submissions; ours to move
	sqMask    uint32
	head      *uint32 // of the completions; ours to move
	completed *uint32 // their tail
	cqMask    uint32
	enter     func(fd, submit, complete int) (int, syscall.Errno)

	// calls are those under way. That they are kept here has the compiler put them and
	// their buffers on the heap, where they keep their addresses.
	calls []Call
}

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
	opSend     = 26 // IORING_OP_SEND, since Linux 5.6
	opReceive  = 27 // IORING_OP_RECV
	getEvents  = 1  // IORING_ENTER_GETEVENTS
	mapSQ      = 0  // IORING_OFF_SQ_RING
	mapCQ      = 0x8000000
	mapSQEs    = 0x10000000
	atOnce     = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	bytesOfSQE = int(unsafe.Sizeof(sqe{}))
	bytesOfCQE = int(unsafe.Sizeof(cqe{}))
)

// Open makes a ring, and tries it. Many systems have none: older kernels, and
// containers and machines where it is forbidden.
func Open() (*Ring, error) {
	switch runtime.GOARCH {
	case "amd64", "arm64":
	default:
		return nil, errors.New("not tried on " + runtime.GOARCH)
	}
	var p params
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, Size, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &Ring{fd: int(fd), enter: func(fd, submit, complete int) (int, syscall.Errno) {
		n, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(complete), getEvents, 0, 0)
		return int(n), errno
	}}
	for i, m := range []struct {
		at   int64
		size int
	}{
		{mapSQ, int(p.sq.array) + 4*int(p.sqEntries)},
		{mapCQ, int(p.cq.cqes) + bytesOfCQE*int(p.cqEntries)},
		{mapSQEs, bytesOfSQE * int(p.sqEntries)},
	} {
		b, err := syscall.Mmap(r.fd, m.at, m.size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE)
		if err != nil {
			r.Close()
			return nil, os.NewSyscallError("mmap", err)
		}
		r.maps[i] = b
	}
	word := func(m int, at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.maps[m][at])) }
	r.tail, r.sqMask = word(0, p.sq.tail), *word(0, p.sq.mask)
	r.array = unsafe.Slice(word(0, p.sq.array), p.sqEntries)
	r.head, r.completed, r.cqMask = word(1, p.cq.head), word(1, p.cq.tail), *word(1, p.cq.mask)
	r.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&r.maps[1][p.cq.cqes])), p.cqEntries)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&r.maps[2][0])), p.sqEntries)
	if err := r.try(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// try sends and receives on a pair of sockets: what is sent must come, and what would
// have to wait must say so at once.
func (r *Ring) try() error {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	to, from, in := int32(pair[0]), int32(pair[1]), make([]byte, 8)
	calls := []Call{{FD: to, Buffer: []byte("some")}, {FD: -1, Buffer: []byte("none")}, {FD: from, Receive: true, Buffer: in}, {FD: from, Receive: true, Buffer: in[4:]}}
	want := []int32{4, -int32(syscall.EBADF), 4, -int32(syscall.EAGAIN)}
	n, err := r.Do(calls)
	for i := range calls {
		if err != nil || n != len(calls) || calls[i].Result != want[i] {
			return fmt.Errorf("%d calls came to %d, %v; the result of number %d is %d", len(calls), n, err, i, calls[i].Result)
		}
	}
	if string(in[:4]) != "some" {
		return fmt.Errorf("%q came", in)
	}
	calls = []Call{{FD: to, Buffer: make([]byte, 4096)}}
	for range 4096 {
		if n, err := r.Do(calls); err != nil || n != 1 {
			return fmt.Errorf("one send came to %d, %v", n, err)
		}
		if calls[0].Result == -int32(syscall.EAGAIN) {
			return nil
		}
	}
	return errors.New("a full socket took everything")
}

// Do makes up to Size calls, one after another, and sets their results. It gives how
// many it made; with those behind nothing was done. After an error the ring is not to
// be used again, and what is not known of a call that was made is -EIO.
func (r *Ring) Do(calls []Call) (made int, err error) {
	r.calls = calls
	defer func() { r.calls = nil }()
	tail := *r.tail // nobody else moves it
	for i := range calls {
		c := &calls[i]
		c.Result = -int32(syscall.EIO) // if it is never told
		op := uint8(opSend)
		if c.Receive {
			op = opReceive
		}
		at := tail & r.sqMask
		r.sqes[at] = sqe{
			opcode: op, fd: c.FD, messageFlags: atOnce, userData: uint64(i),
			address: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(c.Buffer)))), length: uint32(len(c.Buffer)),
		}
		r.array[at] = at
		tail++
	}
	atomic.StoreUint32(r.tail, tail)
	made, errno := r.enter(r.fd, len(calls), len(calls))
	if errno != 0 {
		made = 0
	}
	if made < len(calls) { // the kernel looks at the rest only when it is called
		atomic.StoreUint32(r.tail, tail-uint32(len(calls)-made))
	}
	for seen := r.reap(); seen < made; seen += r.reap() {
		if _, errno := r.enter(r.fd, 0, 1); errno != 0 && errno != syscall.EINTR {
			return made, os.NewSyscallError("io_uring_enter", errno)
		}
	}
	switch errno {
	case 0, syscall.EINTR, syscall.EAGAIN, syscall.EBUSY, syscall.ENOMEM: // it may go on later
		return made, nil
	}
	return made, os.NewSyscallError("io_uring_enter", errno)
}

// reap takes the completions that are there.
func (r *Ring) reap() (n int) {
	head, end := *r.head, atomic.LoadUint32(r.completed)
	for ; head != end; head++ {
		c := &r.cqes[head&r.cqMask]
		r.calls[c.userData].Result = c.result
		n++
	}
	atomic.StoreUint32(r.head, head)
	return n
}

// Close lets go of it.
func (r *Ring) Close() {
	for _, b := range r.maps {
		if b != nil {
			syscall.Munmap(b)
		}
	}
	syscall.Close(r.fd)
}
