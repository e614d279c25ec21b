//go:build !linux

package uring

import "errors"

// Ring makes calls; here is none.
type Ring struct{}

// Open fails: only Linux has io_uring.
func Open() (*Ring, error) { return nil, errors.New("only Linux has io_uring") }

// Do makes no call.
func (r *Ring) Do([]Call) (made int, err error) { return 0, errors.ErrUnsupported }

// Close does nothing.
func (r *Ring) Close() {}
