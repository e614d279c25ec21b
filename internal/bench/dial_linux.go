package bench

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

func (e *epoll) dial(ctx context.Context, list []*session, atOnce int) error {
	landed := make(chan struct{})
	e.do(func() {
		e.queue, e.atOnce, e.landed = list, max(1, atOnce), landed
		e.launch()
	})
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		e.do(func() {
			e.queue = nil
			for _, s := range list {
				switch s.phase {
				case idle:
					s.end(errTooLong)
				case upgrading, greeting, subscribing:
					e.end(s, errTooLong)
				}
			}
		})
		return context.Cause(ctx)
	}
}

// launch connects as many as may be under way.
func (e *epoll) launch() {
	for e.flying < e.atOnce && len(e.queue) > 0 {
		s := e.queue[0]
		e.queue = e.queue[1:]
		e.flying++
		if err := e.connect(s); err != nil {
			e.end(s, err)
		}
	}
	e.land()
}

func (e *epoll) land() {
	if e.landed != nil && e.flying == 0 && len(e.queue) == 0 {
		close(e.landed)
		e.landed = nil
	}
}

func (e *epoll) connect(s *session) error {
	s.fd = -1
	s.phase = upgrading // so that its end counts
	family := unix.AF_INET
	if e.cfg.address.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	s.fd = int32(fd)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if from := e.cfg.sources.next(); from.IsValid() && from.Is4() == (family == unix.AF_INET) {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
			return fmt.Errorf("use the local address %s: %w", from, err)
		}
	}
	err = unix.Connect(fd, sockaddr(e.cfg.address))
	if err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connect: %w", err)
	}
	s.slot = int32(len(e.slots))
	e.slots = append(e.slots, s)
	return e.watch(unix.EPOLL_CTL_ADD, s, unix.EPOLLOUT)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

func (e *epoll) watch(op int, s *session, events uint32) error {
	return unix.EpollCtl(e.ep, op, int(s.fd), &unix.EpollEvent{Events: events, Fd: s.slot})
}
