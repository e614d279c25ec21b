package services

import (
	"net"
	"strconv"
)

// Instance is a server for a program that is no test. Its methods are for one
// goroutine at a time. It ends with the process that started it.
type Instance struct {
	// Addr is where it listens, "127.0.0.1:PORT".
	Addr string

	p *process
}

// StartPostgres starts a PostgreSQL as it is installed by default, which writes
// every commit to the disk before it answers. Settings are further ones,
// "name=value".
func StartPostgres(settings ...string) (*Instance, error) {
	p, err := newPostgres(ordinary, settings...)
	if err != nil {
		return nil, err
	}
	return start(p)
}

// StartRedis starts an empty Redis with the given arguments to redis-server.
func StartRedis(args ...string) (*Instance, error) {
	p, err := newRedis(args)
	if err != nil {
		return nil, err
	}
	return start(p)
}

func start(p *process) (*Instance, error) {
	if err := p.launch(); err != nil {
		_ = p.remove() // the first error says more
		return nil, err
	}
	return &Instance{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), p: p}, nil
}

// Database gives the address of a new, empty database on a PostgreSQL.
func (i *Instance) Database() (url string, err error) {
	name, err := create(i.p)
	return address(i.p, name), err
}

// Close ends the server at once and removes its folder.
func (i *Instance) Close() error { return i.p.remove() }
