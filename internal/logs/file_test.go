package logs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/logs"
)

func openLog(t *testing.T, path string, rule logs.Rotation) *logs.File {
	t.Helper()
	f, err := logs.OpenFile(path, rule)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFile_BoundsSizeAndCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "w.log")
	f := openLog(t, path, logs.Rotation{MaxSize: 10, Keep: 2})
	for i := range 9 {
		fmt.Fprintf(f, "line%d\n", i) // 6 bytes: one fits
	}
	for name, want := range map[string]string{path: "line8\n", path + ".1": "line7\n", path + ".2": "line6\n"} {
		if got := contents(t, name); got != want {
			t.Errorf("%s holds %q, want %q", filepath.Base(name), got, want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files (%v), want 3", len(entries), err)
	}
}

func TestFile_GoesOnWhereAnEarlierProcessEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.log")
	openLog(t, path, logs.Rotation{MaxSize: 10}).Write([]byte("before\n"))
	f := openLog(t, path, logs.Rotation{MaxSize: 10})
	f.Write([]byte("it\n"))
	f.Write([]byte("next\n"))
	if got := contents(t, path+".1"); got != "before\nit\n" {
		t.Errorf("the full file holds %q", got)
	}
	if got := contents(t, path); got != "next\n" {
		t.Errorf("the current file holds %q", got)
	}
}

func TestFile_NeverCutsAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.log")
	f := openLog(t, path, logs.Rotation{MaxSize: 64, Keep: 100})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				f.Write([]byte(strings.Repeat(fmt.Sprint(i), 20) + "\n"))
			}
		})
	}
	f.Write([]byte(strings.Repeat("x", 100) + "\n")) // longer than a file
	wg.Wait()
	f.Close()
	lines := 0
	files, _ := filepath.Glob(path + "*")
	for _, name := range files {
		for line := range strings.Lines(contents(t, name)) {
			lines++
			if line = strings.TrimSuffix(line, "\n"); line != strings.Repeat(line[:1], len(line)) || len(line)%20 != 0 {
				t.Errorf("%s has the line %q", filepath.Base(name), line)
			}
		}
	}
	if lines != 161 {
		t.Errorf("%d lines, want 161", lines)
	}
}

func TestFile_GrowsWhereItCannotRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.log")
	f := openLog(t, path, logs.Rotation{MaxSize: 4, Keep: 1})
	// A folder with something in it cannot be replaced.
	if err := os.MkdirAll(filepath.Join(path+".1", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.Write([]byte("abc\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, path); got != "abc\nabc\nabc\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestFile_ClosedTakesNoMore(t *testing.T) {
	f := openLog(t, filepath.Join(t.TempDir(), "w.log"), logs.Rotation{})
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close = %v, want os.ErrClosed", err)
	}
}

func TestTail_GivesTheLastWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.log")
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	b.WriteString("not ended")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := logs.Tail(path, 3)
	if err != nil || strings.Join(lines, "|") != "line 4998|line 4999|not ended" {
		t.Errorf("Tail = %q, %v", lines, err)
	}
	if lines, err := logs.Tail(path+".none", 3); len(lines) != 0 || err != nil {
		t.Errorf("Tail of no file = %q, %v", lines, err)
	}
}
