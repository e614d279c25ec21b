//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package webhook

import (
	"io"
	"os"
)

// tryLock only opens the file: here a folder must be one process's own.
func tryLock(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
