package deploy_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/belfryhq/belfry/internal/cli"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accepts checks that the program takes these arguments: --help after them
// complains of options that there are not.
func accepts(t *testing.T, where string, args []string) {
	t.Helper()
	var out, complaint bytes.Buffer
	p := &cli.Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaint, Dir: t.TempDir()}
	if code := p.Run(context.Background(), append(slices.Clone(args), "--help")); code != 0 || !strings.Contains(out.String(), "Usage:") {
		t.Errorf("%s: belfry %s: exit code %d: %s", where, strings.Join(args, " "), code, &complaint)
	}
}

func TestUnits_NameCommandsThatExist(t *testing.T) {
	start := regexp.MustCompile(`(?m)^(?:ExecStart|command)=/usr/local/bin/belfry (.+)$`)
	for file, want := range map[string]int{"belfry.service": 1, "belfry-worker@.service": 1, "supervisor.conf": 2} {
		found := start.FindAllStringSubmatch(read(t, file), -1)
		if len(found) != want {
			t.Errorf("%s starts %d programs, want %d", file, len(found), want)
		}
		for _, f := range found {
			accepts(t, file, strings.Fields(f[1]))
		}
	}
}

// A worker may take its --timeout to end.
func TestUnits_WaitLongerThanAJobMayTake(t *testing.T) {
	for file, line := range map[string]string{
		"belfry-worker@.service": "TimeoutStopSec=75s", "supervisor.conf": "stopwaitsecs=75", "compose.yaml": "stop_grace_period: 75s",
	} {
		text := read(t, file)
		if !strings.Contains(text, line) || !strings.Contains(text, "--timeout=60") {
			t.Errorf("%s: want --timeout=60 and %q", file, line)
		}
	}
}

func TestUnits_HoldForSystemd(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd-analyze here: only the form of the commands was checked")
		return
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var units []string
	for file, as := range map[string]string{"belfry.service": "belfry.service", "belfry-worker@.service": "belfry-worker@1.service"} {
		// The program and the user are not on this machine.
		text := strings.ReplaceAll(read(t, file), "/usr/local/bin/belfry", self)
		text = regexp.MustCompile(`(?m)^(User|Group)=belfry$`).ReplaceAllString(text, "")
		unit := filepath.Join(dir, as)
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	out, err := exec.Command(program, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, dir) {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Logf("systemd-analyze: %v\n%s", err, out)
	}
}

type service struct {
	Image       string
	Command     []string
	Environment map[string]string
	Healthcheck map[string]any
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
}

func TestCompose(t *testing.T) {
	var file struct{ Services map[string]service }
	text := read(t, "compose.yaml")
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"belfry", "worker", "postgres", "redis"} {
		s, ok := file.Services[name]
		if !ok || s.Image == "" {
			t.Errorf("no service %s with an image", name)
			continue
		}
		if name != "belfry" && s.Healthcheck == nil { // the image has its own
			t.Errorf("service %s has no health check", name)
		}
		for other, d := range s.DependsOn {
			if d.Condition != "service_healthy" {
				t.Errorf("service %s does not wait until %s is healthy", name, other)
			}
		}
		if s.Image == "belfry" {
			accepts(t, "compose.yaml", s.Command)
		}
	}
	// A secret without a default, wherever it is named.
	for _, found := range regexp.MustCompile(`\$\{(\w*PASSWORD)([^}]*)\}`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(found[2], ":?") {
			t.Errorf("%s has a default, or may be empty", found[0])
		}
	}
	if strings.Count(text, "PASSWORD:?") < 4 {
		t.Error("the passwords are not asked for")
	}
}

func TestDockerfile(t *testing.T) {
	text := read(t, "Dockerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readRoot(t, "go.mod"))[1]
	for _, want := range []string{"golang:" + version + "-", "USER belfry", "HEALTHCHECK", "STOPSIGNAL SIGTERM", `ENTRYPOINT ["belfry"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile does not say %s", want)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^COPY (?:--\S+ )?(\S+)`).FindAllStringSubmatch(text, -1) {
		if from := line[1]; !strings.HasPrefix(from, "/") {
			if _, err := os.Stat(filepath.Join("../..", from)); err != nil {
				t.Errorf("the Dockerfile copies %s: %v", from, err)
			}
		}
	}
}

func TestPowerShell_NamesCommandsThatExist(t *testing.T) {
	text := read(t, "belfry.ps1")
	for _, action := range []string{"start", "stop", "restart", "status", "monitor"} {
		if !strings.Contains(text, "'"+action+"'") {
			t.Errorf("belfry.ps1 has no action %s", action)
		}
		accepts(t, "belfry.ps1", []string{"worker", action, "--data-dir", "x", "--config", "y"})
	}
	accepts(t, "belfry.ps1", []string{"worker", "start", "--queue=a,b", "--processes=1", "--memory=256", "--auto-restart"})
	accepts(t, "belfry.ps1", []string{"serve", "--no-workers", "--data-dir", "x"})
	for _, pair := range []string{"{}", "()"} {
		if open, shut := strings.Count(text, pair[:1]), strings.Count(text, pair[1:]); open != shut {
			t.Errorf("belfry.ps1 has %d %s and %d %s", open, pair[:1], shut, pair[1:])
		}
	}
}

func TestDist_BuildsForEverySystem(t *testing.T) {
	text := readRoot(t, "scripts/dist.sh")
	for _, target := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "darwin/amd64", "windows/amd64", "-trimpath", "SHA256SUMS"} {
		if !strings.Contains(text, target) {
			t.Errorf("scripts/dist.sh does not say %s", target)
		}
	}
	if out, err := exec.Command("sh", "-n", "../../scripts/dist.sh").CombinedOutput(); err != nil {
		t.Errorf("sh -n: %s", out)
	}
}

func readRoot(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
