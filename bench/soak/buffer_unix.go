//go:build unix

package main

import "syscall"

// shrinkReceiveBuffer lets a slow reader be slow sooner; best effort.
func shrinkReceiveBuffer(fd uintptr) {
	syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
}
