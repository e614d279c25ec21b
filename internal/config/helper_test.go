package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/config"
)

// folder makes a working directory with the given files.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads a belfry.yaml with an environment and fails the test on a fault.
func load(t testing.TB, yaml string, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Options{Dir: folder(t, map[string]string{"belfry.yaml": yaml}), Environ: environ})
	if err != nil {
		t.Fatalf("Load:\n%v", err)
	}
	return c
}

// faultsOf loads what must be refused and gives the faults a line each.
func faultsOf(t testing.TB, o config.Options) []string {
	t.Helper()
	c, err := config.Load(o)
	if err == nil {
		t.Fatal("Load found no fault")
	}
	if c != nil {
		t.Error("Load gave a config beside an error")
	}
	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Fatalf("Load gave a %T", err)
	}
	return strings.Split(err.Error(), "\n")
}

// setting finds one setting in force.
func setting(t testing.TB, c *config.Config, key string) config.Setting {
	t.Helper()
	for _, s := range c.Effective() {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("no setting %s", key)
	return config.Setting{}
}
