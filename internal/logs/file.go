package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Rotation bounds what a log takes on the disk: (Keep + 1) × MaxSize.
type Rotation struct {
	// MaxSize is where a file ends, in bytes, and the next begins; default
	// 10 MB. A single write is never cut.
	MaxSize int64
	// Keep is how many full files are kept beside the current one, as NAME.1,
	// the newest, to NAME.Keep; default 5.
	Keep int
}

// File is a log file that is rotated by its size. One process may have it
// open. It may be used concurrently; each Write stays whole.
type File struct {
	path string
	rule Rotation

	mu   sync.Mutex // guards the rest
	file *os.File   // nil after a rotation whose new file could not be made
	size int64
	shut bool
}

// OpenFile opens the log file at path to write at its end. It makes the file,
// and its folder, open to their owner only.
func OpenFile(path string, rule Rotation) (*File, error) {
	if rule.MaxSize <= 0 {
		rule.MaxSize = 10 << 20
	}
	if rule.Keep <= 0 {
		rule.Keep = 5
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make log folder: %w", err)
	}
	f := &File{path: path, rule: rule}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	f.file, f.size = file, info.Size()
	return nil
}

// Write adds p to the current file, or, when that would be too long, to a new
// one. A rotation that fails lets the file grow rather than lose what is
// logged.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut {
		return 0, os.ErrClosed
	}
	if f.file != nil && f.size > 0 && f.size+int64(len(p)) > f.rule.MaxSize {
		f.rotate()
	}
	if f.file == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(p)
	f.size += int64(n)
	return n, err
}

// rotate moves each file to the next number. The current one is closed first,
// since Windows moves no open file; Write opens the next.
func (f *File) rotate() {
	f.file.Close()
	f.file = nil
	for n := f.rule.Keep; n > 0; n-- {
		from := f.path
		if n > 1 {
			from = f.numbered(n - 1)
		}
		if err := os.Rename(from, f.numbered(n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return
		}
	}
}

func (f *File) numbered(n int) string { return f.path + "." + strconv.Itoa(n) }

// Close ends the file. Later writes are os.ErrClosed.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut || f.file == nil {
		f.shut = true
		return nil
	}
	f.shut = true
	return f.file.Close()
}
