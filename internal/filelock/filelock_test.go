package filelock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/belfryhq/belfry/internal/filelock"
)

func TestTry_OneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Try(path)
	if err != nil || first == nil {
		t.Fatalf("first Try = %v, %v", first, err)
	}
	if second, err := filelock.Try(path); err != nil || second != nil {
		t.Fatalf("second Try = %v, %v; want nil, nil", second, err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	third, err := filelock.Try(path)
	if err != nil || third == nil {
		t.Fatalf("Try after Release = %v, %v", third, err)
	}
	third.Release()
}

func TestTry_FileIsOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such mode bits")
	}
	path := filepath.Join(t.TempDir(), "lock")
	l, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %o, want 600", info.Mode().Perm())
	}
}

func TestTry_SaysWhenTheFolderIsMissing(t *testing.T) {
	if _, err := filelock.Try(filepath.Join(t.TempDir(), "none", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v, want os.ErrNotExist", err)
	}
}

func TestWait_EndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := filelock.Wait(ctx, path); l != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, %v; want nil, context.Canceled", l, err)
	}
}

func TestWait_TakesALockThatIsGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		l, err := filelock.Wait(t.Context(), path)
		if err == nil {
			err = l.Release()
		}
		got <- err
	}()
	held.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestWrite_ReplacesTheContents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	for _, text := range []string{"123456\n", "7\n"} {
		if err := l.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(path); string(b) != "7\n" {
		t.Errorf("contents = %q, want %q", b, "7\n")
	}
}

func TestHeld_TellsWithoutTaking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if held, err := filelock.Held(path); held || err != nil {
		t.Errorf("Held of no file = %v, %v", held, err)
	}
	l, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if held, err := filelock.Held(path); !held || err != nil {
			t.Errorf("Held = %v, %v; want true", held, err)
		}
	}
	l.Release()
	if held, err := filelock.Held(path); held || err != nil {
		t.Errorf("Held after Release = %v, %v; want false", held, err)
	}
}
