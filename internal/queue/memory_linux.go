package queue

import (
	"bytes"
	"os"
	"strconv"
)

// residentMemory gives the bytes of this process in memory.
func residentMemory() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return goMemory()
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return goMemory()
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return goMemory()
	}
	return pages * int64(os.Getpagesize())
}
