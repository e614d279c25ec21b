// Package conformance_test holds docs/conformance.md to the truth: each clause
// of the protocol has a row there, and each row names tests that exist.
package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	table = "../../docs/conformance.md"
	root  = "../.."
)

// laterCluster are the clauses whose whole proof needs several servers. They
// wait for the cluster drivers; nothing else may.
var laterCluster = []string{"GEN-03", "HOOK-22"}

// notes are the clauses that no test of this server can prove: they describe
// clients, peers or a recommendation. Nothing else may go without a test.
var notes = []string{
	"WS-33",
	"CH-15",
	"USER-24",
	"AUTH-11", "AUTH-13",
	"HTTP-82",
	"HOOK-23",
	"FALL-01", "FALL-04", "FALL-05", "FALL-06", "FALL-07", "FALL-08",
	"EXTRA-03",
	"TRAP-06", "TRAP-12", "TRAP-18", "TRAP-19", "TRAP-20", "TRAP-21", "TRAP-23", "TRAP-24",
}

type row struct {
	line    int
	clause  string
	summary string
	proofs  []string
}

func rows(t *testing.T) (all []row) {
	t.Helper()
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !clauseForm.MatchString(cells[0]) {
			continue
		}
		if len(cells) != 3 {
			t.Errorf("line %d: %d cells, want clause, summary and proof", i+1, len(cells))
			continue
		}
		var proofs []string
		for proof := range strings.SplitSeq(cells[2], "<br>") {
			proofs = append(proofs, strings.Trim(strings.TrimSpace(proof), "`"))
		}
		all = append(all, row{i + 1, cells[0], cells[1], proofs})
	}
	return all
}

var clauseForm = regexp.MustCompile(`^[A-Z]+-[0-9]{2}$`)

func TestEveryClauseHasItsRow(t *testing.T) {
	list, err := os.ReadFile("clauses.txt")
	if err != nil {
		t.Fatal(err)
	}
	clauses := strings.Fields(string(list))
	if len(clauses) < 200 {
		t.Fatalf("the list of clauses has only %d", len(clauses))
	}
	seen := map[string]int{}
	for _, r := range rows(t) {
		if before, again := seen[r.clause]; again {
			t.Errorf("line %d: %s has a row on line %d already", r.line, r.clause, before)
		}
		seen[r.clause] = r.line
		if !slices.Contains(clauses, r.clause) {
			t.Errorf("line %d: %s is not a clause of clauses.txt", r.line, r.clause)
		}
		if strings.TrimSpace(r.summary) == "" {
			t.Errorf("line %d: %s has no summary", r.line, r.clause)
		}
	}
	for _, clause := range clauses {
		if seen[clause] == 0 {
			t.Errorf("%s has no row in docs/conformance.md: name the test that proves it", clause)
		}
	}
}

func TestEveryRowNamesATestThatExists(t *testing.T) {
	var tests catalogue
	for _, r := range rows(t) {
		for _, proof := range r.proofs {
			if err := tests.check(r.clause, proof); err != nil {
				t.Errorf("line %d: %s: %v", r.line, r.clause, err)
			}
		}
	}
}

func TestNoExcuseOutlivesItsReason(t *testing.T) {
	stands := map[string][]string{}
	for _, r := range rows(t) {
		for _, proof := range r.proofs {
			kind, _, _ := strings.Cut(proof, ":")
			stands[r.clause] = append(stands[r.clause], kind)
		}
	}
	for _, clause := range laterCluster {
		if !slices.Contains(stands[clause], "later") {
			t.Errorf("%s is on the list for later, but its row does not say so: take it off the list", clause)
		}
	}
	for _, clause := range notes {
		if !slices.Contains(stands[clause], "note") {
			t.Errorf("%s is on the list of notes, but has none: take it off the list", clause)
		}
	}
}

// The test itself must be able to fail.
func TestAProofThatIsNoneIsSeen(t *testing.T) {
	var tests catalogue
	for proof, says := range map[string]string{
		"pusher: TestThatNobodyWrote":                               "no test",
		"pusher: TestCH01_KindIsTheLongestAnchoredPrefix/none_such": "no subtest",
		"nowhere: TestX":           "no test",
		"test/clients/none.mjs: x": "no such file",
		"later: cluster":           "not on the list",
		"note: because":            "not on the list",
		"":                         "is no proof",
		"TestCH01_KindIsTheLongestAnchoredPrefix": "is no proof",
	} {
		if err := tests.check("CH-01", proof); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", proof, err, says)
		}
	}
	if err := tests.check("CH-01", "pusher: TestCH01_KindIsTheLongestAnchoredPrefix"); err != nil {
		t.Error(err)
	}
	if err := tests.check("CH-01", "test/conformance: TestAProofThatIsNoneIsSeen"); err != nil {
		t.Error(err)
	}
}

// catalogue finds tests by name and remembers the folders that it has read.
type catalogue struct {
	// strings has, by folder and by Test, Fuzz or Example function, the string
	// literals of the function's file as go test prints them.
	strings map[string]map[string]map[string]bool
}

var (
	funcForm   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	stringForm = regexp.MustCompile("\"((?:[^\"\\\\\n]|\\\\.)*)\"|`([^`\n]*)`")
)

// check says what is wrong with one proof: "folder: TestName",
// "folder: TestName/subtest", "test/clients/file: title of a test",
// "later: cluster" or "note: reason".
func (c *catalogue) check(clause, proof string) error {
	where, what, ok := strings.Cut(proof, ": ")
	switch {
	case !ok || what == "":
		return fmt.Errorf("%q is no proof: write \"folder: TestName\"", proof)
	case where == "later" && what == "cluster":
		if !slices.Contains(laterCluster, clause) {
			return fmt.Errorf("the clause is not on the list of those that wait for the cluster")
		}
		return nil
	case where == "note":
		if !slices.Contains(notes, clause) {
			return fmt.Errorf("the clause is not on the list of those that need no test")
		}
		return nil
	case strings.HasPrefix(where, "test/clients/"):
		return checkScript(where, what)
	}
	return c.checkGo(where, what)
}

func (c *catalogue) checkGo(folder, name string) error {
	if c.strings[folder] == nil {
		c.read(folder)
	}
	name, sub, hasSub := strings.Cut(name, "/")
	literals, found := c.strings[folder][name]
	if !found {
		return fmt.Errorf("there is no test %s in %s", name, folder)
	}
	if hasSub && !literals[sub] {
		return fmt.Errorf("there is no subtest %q in %s", sub, folder)
	}
	return nil
}

func (c *catalogue) read(folder string) {
	if c.strings == nil {
		c.strings = map[string]map[string]map[string]bool{}
	}
	c.strings[folder] = map[string]map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		literals := map[string]bool{}
		for _, m := range stringForm.FindAllSubmatch(text, -1) {
			literals[strings.ReplaceAll(string(m[1])+string(m[2]), " ", "_")] = true
		}
		for _, m := range funcForm.FindAllSubmatch(text, -1) {
			c.strings[folder][string(m[1])] = literals
		}
	}
}

// checkScript looks for test("title" and its like.
func checkScript(file, title string) error {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return fmt.Errorf("%s: no such file", file)
	}
	form := `\b(?:test|it)(?:\.\w+)?\(\s*["'` + "`" + `]` + regexp.QuoteMeta(title) + `["'` + "`" + `]`
	if !regexp.MustCompile(form).Match(text) {
		return fmt.Errorf("there is no test %q in %s", title, file)
	}
	return nil
}
