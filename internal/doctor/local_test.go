package doctor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// check makes the checks of l and gives one of them.
func check(t *testing.T, l doctor.Local, name string) doctor.Check {
	t.Helper()
	if l.DataDir == "" {
		l.DataDir = t.TempDir()
	}
	if l.Listen == "" {
		l.Listen = "127.0.0.1:0"
	}
	for _, c := range doctor.Run(t.Context(), l.Steps()) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no check %s", name)
	return doctor.Check{}
}

func wants(t *testing.T, c doctor.Check, cause doctor.Cause, seen string) {
	t.Helper()
	if c.Cause != cause || (cause != "") != (c.Status == doctor.Failed) || (cause != "") != (c.Fix != "") || !strings.Contains(c.Seen, seen) {
		t.Errorf("%+v\nwant %q: %q", c, cause, seen)
	}
}

func TestDoctorNamesAMachineThatIsTooSmall(t *testing.T) {
	const gigabyte = 1 << 30
	wants(t, check(t, doctor.Local{Machine: &doctor.Machine{Files: 1024, Memory: gigabyte}}, "capacity"), doctor.FewFiles, "about 924 connections, by its limit of open files")
	wants(t, check(t, doctor.Local{Machine: &doctor.Machine{Files: 1 << 20, Memory: 1 << 20}}, "capacity"), doctor.LittleMemory, "by its free memory")
	wants(t, check(t, doctor.Local{Machine: &doctor.Machine{Files: 1 << 20, Memory: gigabyte}}, "capacity"), "", "about 180")
	wants(t, check(t, doctor.Local{Machine: &doctor.Machine{Free: 50 << 20, All: gigabyte}}, "disk"), doctor.DiskFull, "50 MB are free of 1024 MB")
	if c := check(t, doctor.Local{}, "disk"); runtime.GOOS == "linux" && c.Status == doctor.Skipped {
		t.Errorf("%+v", c)
	}
}

func TestDoctorNamesADataFolderThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, check(t, doctor.Local{DataDir: file}, "data folder"), doctor.FolderNotWritable, "is no folder")
}

func TestDoctorNamesADatabaseOfAnotherVersion(t *testing.T) {
	for name, address := range map[string]string{"sqlite": "", "postgres": services.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(store.Config{URL: address, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			l := doctor.Local{DB: db}
			wants(t, check(t, l, "database"), doctor.SchemaOld, "steps of this version's schema")
			if c := check(t, l, "queue"); c.Status != doctor.Skipped {
				t.Errorf("%+v", c)
			}
			if _, err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			wants(t, check(t, l, "database"), "", "its schema is this version's")
			l.Sizes = func(context.Context) (map[string]queue.Size, error) { return nil, errors.New("connection refused") }
			wants(t, check(t, l, "queue"), doctor.QueueAway, "the queue does not answer: connection refused")
		})
	}
}
