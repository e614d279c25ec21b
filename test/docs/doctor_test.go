package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTroubleshooting_ListsWhatDoctorAndLintSay holds the tables of causes and
// findings to what the commands can say, and to the tests that there are.
func TestTroubleshooting_ListsWhatDoctorAndLintSay(t *testing.T) {
	read := func(patterns ...string) (text string) {
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
	tests := read("server/doctor_test.go", "internal/doctor/*_test.go", "internal/lint/*_test.go", "test/process/*_test.go")
	document := read(troubleshooting)
	for _, c := range []struct {
		heading, source, constant string
		least                     int
	}{
		{"## Which link is broken?", "internal/doctor/cause.go", "Cause", 50},
		{"## What is unsafe?", "internal/lint/lint.go", "Code", 20},
	} {
		_, section, _ := strings.Cut(document, c.heading)
		section, _, _ = strings.Cut(section, "\n## ")
		codes := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^\t\w+ +`+c.constant+` += "(\w+)"`).FindAllStringSubmatch(read(c.source), -1) {
			codes[m[1]] = true
		}
		if len(codes) < c.least {
			t.Errorf("%s: found only %d codes", c.source, len(codes))
		}
		listed := map[string]bool{}
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			if len(cells) != 5 {
				t.Errorf("%d cells in %s", len(cells), line)
				continue
			}
			code := strings.Trim(cells[0], " `")
			if listed[code] = true; !codes[code] {
				t.Errorf("%s has no code %s", c.source, code)
			}
			for name := range strings.SplitSeq(cells[4], ",") {
				name = strings.TrimSpace(name)
				if strings.HasSuffix(name, ".txtar") {
					if !strings.Contains(read("internal/cli/testdata/script/"+name), `\(`+code+`\)`) {
						t.Errorf("%s does not make %s", name, code)
					}
				} else if !strings.Contains(tests, "func "+name+"(") {
					t.Errorf("there is no test %s", name)
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
