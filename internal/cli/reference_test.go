package cli_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/cli"
)

var update = flag.Bool("update", false, "write the reference page anew")

func TestReference_ListsTheCommands(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "reference", "commands.md")
	var want bytes.Buffer
	if err := cli.WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the commands say; write it anew with: go test ./internal/cli -update", path)
	}
}

// Every command on the page shows an example that names it.
func TestReference_EveryCommandHasAnExample(t *testing.T) {
	var page bytes.Buffer
	if err := cli.WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(page.String(), "\n## ")[1:]
	if len(sections) < 10 {
		t.Fatalf("only %d commands are on the page", len(sections))
	}
	for _, s := range sections {
		name, _, _ := strings.Cut(s, "\n")
		_, examples, _ := strings.Cut(s, "Examples:")
		if !strings.Contains(examples, "belfry "+name) {
			t.Errorf("%s has no example that names it", name)
		}
	}
}
