package worker

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/filelock"
)

// writeJSON replaces a file in one step, owner-only.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".w")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(f.Name(), path)
	}
	return err
}

// rename bears that Windows replaces no file while somebody reads it.
func rename(from, to string) error {
	for tries := 0; ; tries++ {
		err := os.Rename(from, to)
		if err == nil || tries == 20 || !errors.Is(err, os.ErrPermission) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// readJSON reads a file that may not be there: then v stays as it is.
func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// claim is what the holder of a pid file says in it: its process id, then what
// else it has to say.
type claim struct {
	held bool
	pid  int
	says string
}

func readClaim(path string) (claim, error) {
	held, err := filelock.Held(path)
	if err != nil {
		return claim{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return claim{}, err
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first)
	return claim{held: held, pid: pid, says: strings.TrimSpace(rest)}, nil
}

// stake claims a pid file for this process.
func stake(l *filelock.Lock, says string) error {
	return l.Write(strconv.Itoa(os.Getpid()) + "\n" + says + "\n")
}
