package bench

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestChoose(t *testing.T) {
	known := []string{"sqlite", "postgres"}
	if got, err := Choose("drivers", "postgres, sqlite", known); err != nil || strings.Join(got, " ") != "postgres sqlite" {
		t.Errorf("%q, %v", got, err)
	}
	for _, list := range []string{"", "sqlite,", "mysql"} {
		if _, err := Choose("drivers", list, known); err == nil || !strings.Contains(err.Error(), "there are sqlite, postgres") {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestQuantile(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(i+1))
	}
	for _, c := range []struct {
		sorted  []float64
		q, want float64
	}{
		{nil, 0.5, 0},
		{[]float64{7}, 0, 7},
		{[]float64{7}, 0.99, 7},
		{[]float64{1, 2}, 0.5, 1},
		{[]float64{1, 2, 3}, 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := Quantile(c.sorted, c.q); got != c.want {
			t.Errorf("%g of %d values: %g, want %g", c.q, len(c.sorted), got, c.want)
		}
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		err := Await(t.Context(), time.Second, func() (bool, error) { asked++; return asked == 3, nil })
		if err != nil || time.Since(began) != 10*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		never := func() (bool, error) { return false, nil }
		if err := Await(t.Context(), time.Second, never); err == nil || err.Error() != "not within 1s" {
			t.Errorf("%v", err)
		}
		broken := errors.New("broken")
		if err := Await(t.Context(), time.Second, func() (bool, error) { return false, broken }); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(broken)
		if err := Await(ctx, time.Hour, never); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		if err := Pause(ctx, time.Hour); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
}

// A program has the folder and the environment of its home, and what a caller
// adds for one is not that of the next.
func TestHome(t *testing.T) {
	if !MeasuresProcesses {
		t.Skip("it runs on Linux only")
	}
	const sh = "/bin/sh"
	dir := filepath.Join(t.TempDir(), "home")
	h, err := NewHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("BELFRY_OF_THE_PARENT", "1")
	out, err := h.Run(t.Context(), sh, "-c", "pwd; echo $PUSHER_APP_KEY $BELFRY_DATA_DIR $BELFRY_OF_THE_PARENT")
	if want := dir + "\n" + HomeKey + " " + h.Data() + "\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
	if _, err := h.Run(t.Context(), sh, "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3\nwhy") {
		t.Errorf("%v", err)
	}
	for _, c := range []struct {
		env  []string
		says string
	}{{[]string{"ADDED=yes"}, "got yes\n"}, {nil, "got\n"}} {
		p, err := h.Start(t.Context(), c.env, sh, "-c", "echo got $ADDED; exec cat /dev/zero > /dev/null")
		if err != nil {
			t.Fatal(err)
		}
		err = Await(t.Context(), 30*time.Second, func() (bool, error) { return strings.HasSuffix(p.Said(), "\n"), nil })
		if err != nil || p.Said() != c.says {
			t.Errorf("%q, %v, want %q", p.Said(), err, c.says)
		}
		err = Await(t.Context(), 30*time.Second, func() (bool, error) { used, err := p.CPU(); return used > 0, err })
		if memory, fault := p.Memory(); err != nil || fault != nil || memory < 1 {
			t.Errorf("%v; %d bytes, %v", err, memory, fault)
		}
		p.End()
		p.End()
	}
}
