//go:build !linux

package queue

// residentMemory gives the bytes that this process has from the system.
func residentMemory() int64 { return goMemory() }
