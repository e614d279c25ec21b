package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTroubleshooting_ListsEveryCauseAndItsTest holds the tables of causes and
// findings to what the commands can say, and to the tests that there are.
func TestTroubleshooting_ListsEveryCauseAndItsTest(t *testing.T) {
	doctorAndLint := contents(t, "server/doctor_test.go", "internal/doctor/*_test.go", "internal/lint/*_test.go", "test/process/*_test.go")
	for _, c := range []struct {
		heading, source string
		constant        string // begins the lines that define the codes
		least           int    // how many codes there are
		tests           string // the sources of the tests
	}{
		{"## Why did it not arrive?", "internal/explain/explain.go", "Code", 30, contents(t, "server/explain*_test.go", "test/process/explain_test.go")},
		{"## Which link is broken?", "internal/doctor/cause.go", "Cause", 50, doctorAndLint},
		{"## What is unsafe?", "internal/lint/lint.go", "Code", 20, doctorAndLint},
	} {
		codes := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^\t\w+ +`+c.constant+` += "(\w+)"`).FindAllStringSubmatch(contents(t, c.source), -1) {
			codes[m[1]] = true
		}
		if len(codes) < c.least {
			t.Errorf("%s: found only %d codes", c.source, len(codes))
		}
		listed := map[string]bool{}
		for _, cells := range rows(t, c.heading) {
			named := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[0], -1)
			for _, m := range named {
				if listed[m[1]] = true; !codes[m[1]] {
					t.Errorf("%s has no code %s", c.source, m[1])
				}
			}
			for name := range strings.SplitSeq(cells[4], ",") {
				name = strings.TrimSpace(name)
				if !strings.HasSuffix(name, ".txtar") {
					if !strings.Contains(c.tests, "func "+name+"(") {
						t.Errorf("there is no test %s", name)
					}
					continue
				}
				script := contents(t, "internal/cli/testdata/script/"+name)
				for _, m := range named {
					if !strings.Contains(script, `\(`+m[1]+`\)`) {
						t.Errorf("%s does not make %s", name, m[1])
					}
				}
			}
		}
		for code := range codes {
			if !listed[code] {
				t.Errorf("the table of %q lacks %s", c.heading, code)
			}
		}
	}
}

// contents gives the text of all files of the repository that match a pattern.
func contents(t *testing.T, patterns ...string) (text string) {
	t.Helper()
	for _, pattern := range patterns {
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
	}
	return text
}

// rows gives the cells of the table under a heading of the troubleshooting page,
// five a row.
func rows(t *testing.T, heading string) (all [][]string) {
	t.Helper()
	_, section, _ := strings.Cut(contents(t, troubleshooting), heading)
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 5 {
			t.Errorf("%d cells in %s", len(cells), line)
			continue
		}
		all = append(all, cells)
	}
	return all
}
