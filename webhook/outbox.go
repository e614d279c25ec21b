package webhook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Bounds of an outbox: the size at which a file is written anew, and how many
// processes may share a folder.
const (
	maxOutboxFile = 64 << 10
	maxOutboxes   = 64
)

// record is a line of an outbox: a change that waits, or, with Done, that all
// changes up to that number are sent.
type record struct {
	N      uint64 `json:"n,omitempty"`
	At     int64  `json:"at,omitempty"` // milliseconds since 1970
	Reason string `json:"reason,omitempty"`
	Range  string `json:"range,omitempty"`
	Done   uint64 `json:"done,omitempty"`
}

// outbox is a file that only grows, but for being emptied when nothing waits.
// A process that is killed leaves it behind with what it had not sent; a line
// that was cut off while being written does not count, since nobody was told
// that it was kept. Each process holds a file of its own in the folder, by a
// lock that the operating system gives back when the process ends; whoever opens
// the folder takes over what the dead left.
//
// Its methods are called under the sender's mutex.
type outbox struct {
	dir  string
	slot int
	lock io.Closer
	file *os.File
	size int64
	last uint64 // number of the last change written
}

// openOutbox takes a file in dir, which it makes when it is not there, and
// gives the change that waits in it or in the file of a dead process, if any.
func openOutbox(dir string) (*outbox, *change, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("webhook: open the outbox: %w", err)
	}
	var own *outbox
	var waiting *change
	fail := func(err error) (*outbox, *change, error) {
		if own != nil {
			own.close()
		}
		return nil, nil, fmt.Errorf("webhook: open the outbox: %w", err)
	}
	for slot := range maxOutboxes {
		if _, err := os.Stat(slotPath(dir, slot, "lock")); own != nil && errors.Is(err, os.ErrNotExist) {
			break // files are taken in order
		}
		lock, err := tryLock(slotPath(dir, slot, "lock"))
		if err != nil {
			return fail(err)
		}
		if lock == nil {
			continue // a living process has it
		}
		left, last, err := readOutbox(slotPath(dir, slot, "log"))
		if err != nil {
			lock.Close()
			return fail(err)
		}
		waiting = newer(waiting, left)
		if own == nil {
			own = &outbox{dir: dir, slot: slot, lock: lock, last: last}
			continue
		}
		if left != nil { // keep it before it goes from there
			err = errors.Join(own.rewrite(waiting), os.Truncate(slotPath(dir, slot, "log"), 0))
		}
		lock.Close()
		if err != nil {
			return fail(err)
		}
	}
	if own == nil {
		return fail(fmt.Errorf("%d processes use the folder already", maxOutboxes))
	}
	if err := own.rewrite(waiting); err != nil {
		return fail(err)
	}
	return own, waiting, nil
}

// newer gives what stands for both changes: the later reason, waiting since the
// earlier time.
func newer(a, b *change) *change {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case b.at.After(a.at):
		b.at = a.at
		return b
	}
	a.at = b.at
	return a
}

func slotPath(dir string, slot int, kind string) string {
	return filepath.Join(dir, fmt.Sprintf("outbox-%02d.%s", slot, kind))
}

// readOutbox gives the change that waits in a file, if any, and the last number
// in it.
func readOutbox(path string) (waiting *change, last uint64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	// A file is written anew long before it is this large.
	lines := bufio.NewScanner(io.LimitReader(f, 4*maxOutboxFile))
	for lines.Scan() {
		var r record
		if json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &r) != nil {
			continue // cut off, or not ours
		}
		last = max(last, r.N, r.Done)
		switch {
		case r.N > 0:
			c := &change{n: r.N, at: time.UnixMilli(r.At), reason: r.Reason, period: r.Range}
			if waiting != nil {
				c.at = waiting.at
			}
			waiting = c
		case waiting != nil && r.Done >= waiting.n:
			waiting = nil
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return nil, 0, err
	}
	return waiting, last, nil
}

// add writes a change down, through to the disk, and numbers it.
func (o *outbox) add(c *change) error {
	o.last++
	c.n = o.last
	if o.size > maxOutboxFile {
		return o.rewrite(c)
	}
	if err := o.write(record{N: c.n, At: c.at.UnixMilli(), Reason: c.reason, Range: c.period}); err != nil {
		return err
	}
	return o.file.Sync()
}

// done writes down that all changes up to number n are sent. With nothing left
// waiting it empties the file. It need not reach the disk: a change that is
// sent twice does no harm.
func (o *outbox) done(n uint64, waiting *change) error {
	if waiting != nil {
		return o.write(record{Done: n})
	}
	if o.size == 0 {
		return nil
	}
	if err := o.file.Truncate(0); err != nil {
		return err
	}
	o.size = 0
	return nil
}

// write appends a line in one go, on a line of its own.
func (o *outbox) write(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// A line of a try that failed halfway must not spoil this one.
	text = append(append([]byte{'\n'}, text...), '\n')
	n, err := o.file.Write(text)
	o.size += int64(n)
	return err
}

// rewrite replaces the file by one that holds only the change that waits, if
// any. A crash leaves the old one or the new one.
func (o *outbox) rewrite(waiting *change) error {
	path := slotPath(o.dir, o.slot, "log")
	next, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	fresh := &outbox{file: next}
	if waiting != nil {
		o.last++
		waiting.n = o.last
		err = fresh.write(record{N: waiting.n, At: waiting.at.UnixMilli(), Reason: waiting.reason, Range: waiting.period})
	}
	err = errors.Join(err, next.Sync())
	// Windows renames no open file.
	err = errors.Join(err, next.Close())
	if err != nil {
		return err
	}
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}
	err = os.Rename(path+".new", path)
	file, openErr := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	o.file, o.size = file, fresh.size
	return err
}

// close gives the file back. The lock goes last.
func (o *outbox) close() error {
	var err error
	if o.file != nil {
		err = o.file.Close()
	}
	return errors.Join(err, o.lock.Close())
}
