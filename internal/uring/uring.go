// Package uring sends to and receives from many sockets with one system call, by
// Linux's io_uring. The system calls themselves, not the network, are a fifth and
// more of what a short message costs.
//
// Only the oldest part of io_uring is used, so that many kernels have it, and no call
// waits: every one is over when Do returns, and nothing is shared with the kernel for
// longer.
package uring

// Size is how many calls Do makes at most: enough to make them cheap, and few enough
// that a garbage collection need not wait long, since Go's scheduler is not told of
// them.
const Size = 32

// Call is one send or receive on a socket.
type Call struct {
	FD      int32
	Receive bool   // into Buffer; otherwise Buffer is sent
	Buffer  []byte // not empty
	// Result is how many bytes were sent or received, 0 for the end of what comes, or
	// below zero an error's number: -EAGAIN when the call would have had to wait.
	Result int32
}
