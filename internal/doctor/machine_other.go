//go:build !linux

package doctor

import "os"

func measure(int, string) Machine { return Machine{} }

func full(error) bool { return false }

func strange(int, os.FileInfo) (owner, user int, yes bool) { return 0, 0, false }
