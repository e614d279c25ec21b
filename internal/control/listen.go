package control

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/filelock"
)

// The files of the link in the data folder.
const (
	SocketName = "belfry.sock"    // the socket
	TokenName  = "belfry.control" // address and token where there is no socket
	PIDName    = "belfry.pid"     // the process's id, locked while it lives
)

// maxSocketPath is what the strictest system takes as a socket's path, less
// the byte that ends it.
const maxSocketPath = 103

// Listener is the server's end of the link of one data folder, and its claim
// to the folder: there is one Listener on a folder at a time.
type Listener struct {
	net.Listener
	token string // "" for a socket, whose file says who may open it
	close func() error
}

// endpoint is what the token file holds.
type endpoint struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	PID     int    `json:"pid"`
}

// Listen claims the data folder dir, which it makes owner-only when it is not
// there, and opens the link. What a killed server left behind is replaced; a
// server that lives is CodeConflict with its process id.
func Listen(dir string) (*Listener, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := claim(dir)
	if err != nil {
		return nil, err
	}
	// The lock says that whatever left these is gone.
	socket, token := filepath.Join(dir, SocketName), filepath.Join(dir, TokenName)
	for _, path := range []string{socket, token} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			lock.Release()
			return nil, fmt.Errorf("remove what an earlier server left: %w", err)
		}
	}
	if l, err := listenSocket(dir, socket); err == nil {
		return newListener(l, "", socket, lock), nil
	}
	l, secret, err := listenToken(token)
	if err != nil {
		lock.Release()
		return nil, fmt.Errorf("open control link: %w", err)
	}
	return newListener(l, secret, token, lock), nil
}

func newListener(l net.Listener, token, file string, lock *filelock.Lock) *Listener {
	return &Listener{Listener: l, token: token, close: sync.OnceValue(func() error {
		err := l.Close()
		os.Remove(file) // one left behind does no harm
		return errors.Join(err, lock.Release())
	})}
}

// claim locks the folder for this process.
func claim(dir string) (*filelock.Lock, error) {
	path := filepath.Join(dir, PIDName)
	lock, err := filelock.Try(path)
	if err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	if lock == nil {
		who := "another process"
		if pid := readPID(dir); pid != 0 {
			who = fmt.Sprintf("process %d", pid)
		}
		return nil, &belfry.Error{
			Code:    belfry.CodeConflict,
			Message: fmt.Sprintf("a server is already running on the data folder %s (%s)", dir, who),
			Hint:    "stop it first, or give this one another folder with --data-dir",
		}
	}
	if err := lock.Write(strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		lock.Release()
		return nil, fmt.Errorf("write process id: %w", err)
	}
	return lock, nil
}

// Holder gives the process that holds a data folder, whether or not it answers;
// 0 when none does.
func Holder(dir string) (pid int) {
	if held, err := filelock.Held(filepath.Join(dir, PIDName)); err != nil || !held {
		return 0
	}
	return readPID(dir)
}

func readPID(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, PIDName))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// listenSocket binds in a folder that others cannot enter and moves the socket
// to its place once its mode is set, so that there is no moment at which others
// could open it.
func listenSocket(dir, path string) (net.Listener, error) {
	if runtime.GOOS == "windows" {
		return nil, errors.ErrUnsupported
	}
	private, err := os.MkdirTemp(dir, ".c")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	temporary := filepath.Join(private, "s")
	if max(len(path), len(temporary)) > maxSocketPath {
		return nil, fmt.Errorf("the path of the socket is too long")
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // Close removes it at its place
	if err = os.Chmod(temporary, 0o600); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func listenToken(path string) (net.Listener, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	b := make([]byte, 32)
	rand.Read(b) // never fails
	e := endpoint{Address: l.Addr().String(), Token: hex.EncodeToString(b), PID: os.Getpid()}
	text, err := json.Marshal(e)
	if err == nil {
		err = writeOwnerOnly(path, text)
	}
	if err != nil {
		l.Close()
		return nil, "", err
	}
	return l, e.Token, nil
}

// writeOwnerOnly puts a file in its place when it is whole.
func writeOwnerOnly(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".c") // owner-only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// Close ends the link and the claim to the folder. It may be called again.
func (l *Listener) Close() error { return l.close() }
