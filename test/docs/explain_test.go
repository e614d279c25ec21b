package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTroubleshooting_ListsEveryCauseAndItsTest holds the table of causes to what
// explain can say, and to the tests that there are.
func TestTroubleshooting_ListsEveryCauseAndItsTest(t *testing.T) {
	read := func(pattern string) (text string) {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text += string(b)
		}
		return text
	}
	_, table, _ := strings.Cut(read(troubleshooting), "## Why did it not arrive?")
	table, _, _ = strings.Cut(table, "\n## ")
	codes := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Code = "(\w+)"`).FindAllStringSubmatch(read("internal/explain/explain.go"), -1) {
		codes[m[1]] = true
	}
	tests := read("server/explain*_test.go") + read("internal/explain/*_test.go")
	listed := map[string]bool{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 5 {
			t.Errorf("%d cells in %s", len(cells), line)
			continue
		}
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[0], -1) {
			if listed[m[1]] = true; !codes[m[1]] {
				t.Errorf("explain has no code %s", m[1])
			}
		}
		for name := range strings.SplitSeq(cells[4], ",") {
			if !strings.Contains(tests, "func "+strings.TrimSpace(name)+"(") {
				t.Errorf("there is no test %s", name)
			}
		}
	}
	for code := range codes {
		if !listed[code] {
			t.Errorf("the table lacks %s", code)
		}
	}
	if len(codes) < 30 {
		t.Errorf("found only %d codes", len(codes))
	}
}
