package logs

import (
	"errors"
	"io"
	"os"
	"strings"
)

// tailBytes bounds what Tail reads.
const tailBytes = 64 << 10

// Tail gives the last n lines of the file at path, as far as they lie in its
// last 64 KB. No file has no lines.
func Tail(path string, n int) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	start := max(info.Size()-tailBytes, 0)
	b, err := io.ReadAll(io.NewSectionReader(f, start, tailBytes))
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return nil, nil
	}
	lines := strings.Split(text, "\n")
	if start > 0 {
		lines = lines[1:] // cut at its beginning
	}
	return lines[max(len(lines)-n, 0):], nil
}
