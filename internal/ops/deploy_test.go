package ops_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The files under deploy name no metric that there is not, and each panel and
// rule names one.
func TestDeployNamesMetricsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(belfry_[a-z_]+)` \\| ([a-z]+) \\| ([a-z, ]*) \\|").FindAllStringSubmatch(string(page), -1) {
		known[m[1]] = m[2]
	}
	if len(known) < 60 {
		t.Fatalf("the reference lists only %d metrics", len(known))
	}
	// Of the process and the scrape, which the page does not list one by one.
	others := map[string]bool{"up": true, "process_open_fds": true, "process_max_fds": true, "process_resident_memory_bytes": true,
		"process_cpu_seconds_total": true, "go_goroutines": true}
	name := regexp.MustCompile(`\b(belfry_[a-z_]+|process_[a-z_]+|go_[a-z_]+|up)\b`)
	check := func(where, expr string) {
		t.Helper()
		// What stands in quotes or in label lists is no metric.
		bare := regexp.MustCompile(`"[^"]*"|(by|on) \([^)]*\)`).ReplaceAllString(expr, "")
		found := name.FindAllString(bare, -1)
		if len(found) == 0 {
			t.Errorf("%s: %q names no metric", where, expr)
		}
		for _, metric := range found {
			base, histogram := strings.CutSuffix(metric, "_bucket")
			kind, ok := known[base]
			switch {
			case others[metric]:
			case !ok:
				t.Errorf("%s: there is no metric %s", where, metric)
			case histogram != (kind == "histogram"):
				t.Errorf("%s: %s is a %s", where, base, kind)
			case kind == "counter" && !strings.Contains(expr, "rate(") && !strings.Contains(expr, "increase("):
				t.Errorf("%s: the counter %s stands without a rate", where, base)
			}
		}
	}

	var board struct {
		Panels []struct {
			Title, Type string
			GridPos     struct{ X, W int }
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	text, err := os.ReadFile("../../deploy/grafana/belfry.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, p := range board.Panels {
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("the panel %q stands out of the board", p.Title)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			shown++
			check("panel "+p.Title, target.Expr)
		}
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" {
			check("variable "+v.Name, regexp.MustCompile(`, [a-z]+\)$`).ReplaceAllString(v.Definition, ")"))
		}
	}

	rules, err := os.ReadFile("../../deploy/prometheus/belfry.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := strings.Split(string(rules), "- alert: ")[1:]
	for _, alert := range alerts {
		title, rest, _ := strings.Cut(alert, "\n")
		expr := regexp.MustCompile(`(?m)^ +expr: (.+)$`).FindStringSubmatch(rest)
		if expr == nil || !strings.Contains(rest, "severity: ") || !strings.Contains(rest, "summary: ") || !strings.Contains(rest, "description: ") {
			t.Errorf("the alert %s lacks an expression, a severity, a summary or a description", title)
			continue
		}
		check("alert "+title, expr[1])
	}
	if shown < 30 || len(alerts) < 12 {
		t.Errorf("%d targets and %d alerts", shown, len(alerts))
	}
}
