package webhook

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// sharingViolation is the answer to opening a file that somebody else has.
const sharingViolation = syscall.Errno(32)

// tryLock opens the file at path for this process alone until it ends or closes
// it, or gives nil when somebody else has it.
func tryLock(path string) (io.Closer, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}
