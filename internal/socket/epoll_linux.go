package socket

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// The system calls of the Linux engine. Reads and writes go to descriptors that
// never block, so they skip the scheduler's notice of a system call, which
// would cost more than it saves; only long writes keep it.

// longWrite is from how many bytes on a write tells the scheduler.
const longWrite = 16 << 10

func sysRead(fd int32, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

func sysWrite(fd int32, b []byte) (int, syscall.Errno) {
	if len(b) >= longWrite {
		n, _, err := syscall.Syscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		return int(n), err
	}
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

// sysReady is epoll_wait without waiting. With a notice to the scheduler, each
// call would wake its watcher thread, which then looks around every 20 µs: over a
// fifth of the CPU of a server that publishes 20,000 events a second.
func sysReady(fd uintptr, events []syscall.EpollEvent) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	return int(n), err
}

const epollBroken = syscall.EPOLLHUP | syscall.EPOLLERR

// poller is an epoll set that a goroutine waits for without holding a thread:
// the set's own descriptor waits in Go's poller.
type poller struct {
	fd     int // owned by file
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that NewFile gives it to Go's poller
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// run calls handle with what is ready until close. handle must not keep events.
func (p *poller) run(handle func(events []syscall.EpollEvent)) error {
	events := make([]syscall.EpollEvent, 256)
	err := p.raw.Read(func(fd uintptr) bool {
		for {
			n, err := sysReady(fd, events)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 || err != 0 {
				return false // wait in Go's poller
			}
			handle(events[:n])
		}
	})
	if p.closed.Load() { // RawConn's error for that has no name outside the runtime
		return nil
	}
	return err
}

// close ends run.
func (p *poller) close() {
	p.closed.Store(true)
	p.file.Close()
}

// control adds, changes or removes a descriptor. place and key come back with
// its events.
func (p *poller) control(op int, fd int32, events uint32, place int32, key uint32) error {
	return syscall.EpollCtl(p.fd, op, int(fd), &syscall.EpollEvent{Events: events, Fd: place, Pad: int32(key)})
}

// dup copies the descriptor of a connection or listener. The copy belongs to
// the caller; it does not block, as the original, whose owner may be closed.
func dup(c syscall.Conn) (int32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	copied := -1
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			dupErr = os.NewSyscallError("dup", errno)
			return
		}
		copied = int(n)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return -1, err
	}
	return int32(copied), nil
}

// toNetConn gives a descriptor to package net. The descriptor is closed or
// taken over in any case.
func toNetConn(fd int32) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "")
	defer f.Close() // FileConn has made a copy
	return net.FileConn(f)
}
