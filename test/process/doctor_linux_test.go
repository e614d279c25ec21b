package process_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/test/services"
)

// The faults here are made in a server that runs, each with what makes it in the
// field: a limit of the process, a control group, a disk that is full, a service
// that is gone, a clock that is wrong, a folder of another user. Control groups
// and mounts want root, as CI is; the two tests say so when they are not let.

// doctorHost is a server in which doctor finds nothing wrong.
func doctorHost(t *testing.T, env ...string) *host {
	t.Helper()
	h := newHost(t, configuration)
	h.env = env
	h.start()
	h.healthy()
	return h
}

// finding is a check that doctor made.
type finding struct {
	Name, Status, Cause, Seen, Fix string
}

// examine calls doctor and gives what failed.
func (h *host) examine() (failed []finding) {
	h.t.Helper()
	cmd := h.command("doctor", "--json")
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		h.t.Fatal(err)
	}
	var report struct {
		OK     bool
		Checks []finding
	}
	if err := json.Unmarshal(out, &report); err != nil {
		h.t.Fatalf("doctor says no JSON: %v\n%s", err, out)
	}
	for _, c := range report.Checks {
		if c.Status == "failed" {
			failed = append(failed, c)
		}
	}
	if report.OK != (len(failed) == 0) || (err == nil) != report.OK {
		h.t.Errorf("ok is %v, the exit %v, and %d checks failed", report.OK, err, len(failed))
	}
	if strings.Contains(string(out), appSecret) {
		h.t.Errorf("doctor tells the secret: %s", out)
	}
	return failed
}

// healthy waits until doctor finds nothing: a server that just started, or from
// which a fault was just taken, may still say what it saw before.
func (h *host) healthy() {
	h.t.Helper()
	var failed []finding
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if failed = h.examine(); len(failed) == 0 {
			return
		}
	}
	h.t.Fatalf("doctor finds what nobody did: %+v", failed)
}

// finds wants doctor to name this cause in this check first, with these words,
// and besides it only what follows.
func (h *host) finds(check, cause, seen string, follows ...string) {
	h.t.Helper()
	failed := h.examine()
	at := slices.IndexFunc(failed, func(f finding) bool { return f.Name == check && f.Cause == cause && strings.Contains(f.Seen, seen) })
	if at < 0 {
		h.t.Fatalf("doctor does not name %s in %s with %q: %+v", cause, check, seen, failed)
	}
	for _, f := range failed {
		if f.Fix == "" {
			h.t.Errorf("nothing to do about %+v", f)
		}
		if f.Cause != cause && !slices.Contains(follows, f.Cause) {
			h.t.Errorf("doctor names %s in %s too: %s", f.Cause, f.Name, f.Seen)
		}
	}
}

// call runs a program that must succeed.
func call(t *testing.T, words ...string) {
	t.Helper()
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

func (h *host) pid() string { return strconv.Itoa(h.cmd.Process.Pid) }

func TestDoctorNamesAServerThatMayOpenFewFiles(t *testing.T) {
	h := doctorHost(t)
	limit := func(n int) { call(t, "prlimit", "--pid", h.pid(), fmt.Sprintf("--nofile=%d:", n)) }
	limit(600)
	h.finds("capacity", "few_file_descriptors", "by its limit of open files")
	limit(5000)
	h.healthy()

	open, err := os.ReadDir("/proc/" + h.pid() + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	limit(len(open) + 20)
	leave := h.crowd()
	h.finds("capacity", "few_file_descriptors", "this machine holds about 0 connections", "not_answering")
	leave()
	limit(5000)
	h.healthy()
}

// crowd opens connections until the server takes no more, which then holds for
// doctor too.
func (h *host) crowd() (leave func()) {
	h.t.Helper()
	var all []net.Conn
	leave = func() {
		for _, c := range all {
			c.Close()
		}
	}
	for range 1000 {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, c)
		fmt.Fprintf(c, "GET /app/%s?protocol=7 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", appKey, h.addr)
		c.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			return leave // this one waits to be accepted
		} else if err != nil {
			h.t.Fatalf("after %d connections: %v", len(all), err)
		}
	}
	h.t.Fatal("the server takes any number of connections")
	return leave
}

func TestDoctorNamesAServerThatDoesNotAnswer(t *testing.T) {
	h := doctorHost(t)
	h.signal(syscall.SIGSTOP)
	h.finds("server", "not_answering", "process "+h.pid()+" holds ")
	h.signal(syscall.SIGCONT)
	h.healthy()
}

func TestDoctorNamesSettingsThatTheServerHasNotTakenUp(t *testing.T) {
	h := doctorHost(t)
	h.configure(configuration + "server: {ping_after: 20s}\n")
	h.finds("settings in force", "settings_not_in_force", "server.ping_after")
	h.configure(strings.Replace(configuration, "secret: process-secret", "secret: another-secret-9c1f", 1))
	h.finds("settings in force", "settings_not_in_force", "apps[1001].secret", "wrong_secret")
	if out, exit := h.run("config", "reload"); exit != 0 {
		t.Fatalf("reload: %d %s", exit, out)
	}
	h.healthy()
}

func TestDoctorNamesAQueueThatNoWorkerTakesJobsFrom(t *testing.T) {
	h := newHost(t, configuration)
	h.serve = []string{"--no-workers"}
	h.start()
	work := func(args ...string) (end func()) {
		worker := h.command(append([]string{"broadcast:start"}, args...)...)
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		return sync.OnceFunc(func() {
			worker.Process.Signal(os.Interrupt)
			worker.Wait()
		})
	}
	end := work() // as an operator does who does not think of the other queues
	defer end()
	h.healthy()
	if out, exit := h.run("event:send", "orders", "paid", "{}", "--queue", "notifications"); exit != 0 {
		t.Fatalf("event:send: %d %s", exit, out)
	}
	h.finds("workers", "no_worker", "no worker takes jobs from: notifications (1)")
	end()
	defer work("--queue=default,notifications")()
	h.healthy()
}

func TestDoctorNamesAServerWithLittleMemory(t *testing.T) {
	t.Run("a control group, as a container or a service has", func(t *testing.T) {
		group := newMemoryGroup(t)
		h := newHost(t, configuration)
		h.through = []string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group.dir}
		h.start()
		h.through = nil
		h.healthy()
		group.leave(t, 20<<20)
		h.finds("capacity", "little_memory", "by what is left of its container's or service's memory")
		group.leave(t, 400<<20)
		h.healthy()
	})
	t.Run("a limit of address space", func(t *testing.T) {
		h := doctorHost(t)
		text, err := os.ReadFile("/proc/" + h.pid() + "/statm")
		if err != nil {
			t.Fatal(err)
		}
		pages, err := strconv.Atoi(strings.Fields(string(text))[0])
		if err != nil {
			t.Fatal(err)
		}
		call(t, "prlimit", "--pid", h.pid(), fmt.Sprintf("--as=%d:", pages*os.Getpagesize()+20<<20))
		h.finds("capacity", "little_memory", "by what is left of its limit of address space")
		call(t, "prlimit", "--pid", h.pid(), "--as=unlimited:")
		h.healthy()
	})
}

// memoryGroup is a control group of the test's own.
type memoryGroup struct{ dir, limit, used string }

// newMemoryGroup makes one beside this process's, of the version that bounds
// memory here.
func newMemoryGroup(t *testing.T) memoryGroup {
	t.Helper()
	g := memoryGroup{limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes"}
	parent := "/sys/fs/cgroup/memory"
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && slices.Contains(strings.Fields(string(controllers)), "memory") {
		parent, g.limit, g.used = "/sys/fs/cgroup", "memory.max", "memory.current"
		// Where systemd runs it is so already; in a container this may be refused,
		// which shows below.
		_ = os.WriteFile(parent+"/cgroup.subtree_control", []byte("+memory"), 0)
	}
	g.dir = filepath.Join(parent, fmt.Sprintf("belfry-test-%d", os.Getpid()))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			t.Skip("only root can make a control group; CI does")
		}
		t.Fatalf("a control group cannot be made, so that a limit of memory is not tested: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(g.dir); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(filepath.Join(g.dir, g.limit)); err != nil {
		t.Fatalf("control groups of this machine do not bound memory: %v", err)
	}
	return g
}

// leave sets the limit so that this is left.
func (g memoryGroup) leave(t *testing.T, bytes int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, g.used))
	if err != nil {
		t.Fatal(err)
	}
	used, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, g.limit), strconv.AppendInt(nil, int64(used+bytes), 10), 0); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorNamesAFullDisk(t *testing.T) {
	h := newHost(t, configuration)
	if err := os.Mkdir(filepath.Join(h.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	// A small disk that only the server sees, and who enters its namespace.
	h.through = []string{"unshare", "--mount", "/bin/sh", "-c",
		`mount -t tmpfs -o size=300m,nr_inodes=6000,mode=700 tmpfs data && exec "$@"`, "sh"}
	if os.Geteuid() != 0 {
		h.through = slices.Insert(h.through, 1, "--map-root-user")
	}
	h.start()
	inside := []string{"nsenter", "--mount", "--wdns=" + h.dir, "--target", h.pid()}
	if os.Geteuid() != 0 {
		inside = slices.Insert(inside, 1, "--user", "--preserve-credentials")
	}
	h.through = inside
	h.healthy()
	shell := func(script string) {
		call(t, append(slices.Clone(inside), "/bin/sh", "-c", "cd "+h.dir+"/data && "+script)...)
	}

	shell("fallocate -l 250M filler")
	h.finds("disk", "disk_full", "MB are free of 300 MB")
	shell("! cat /dev/zero >rest 2>/dev/null") // to the last byte
	h.finds("disk", "disk_full", "0 MB are free of 300 MB", "degraded")
	shell("rm filler rest")
	h.healthy()

	shell(`mkdir many && cd many && i=0 && while [ $i -lt 5500 ]; do : >$i || exit 1; i=$((i+1)); done`)
	h.finds("disk", "disk_full", "more files only, though")
	shell("rm -r many")
	h.healthy()
}

func TestDoctorNamesARedisThatIsGone(t *testing.T) {
	redis := services.OwnRedis(t)
	host, port, _ := strings.Cut(redis.Addr, ":")
	h := doctorHost(t, "QUEUE_CONNECTION=redis", "REDIS_HOST="+host, "REDIS_PORT="+port)
	redis.Stop()
	h.finds("queue", "queue_away", "the queue cannot be opened: Redis at "+redis.Addr+" cannot be reached", "degraded")
	redis.Start()
	h.healthy()
}

func TestDoctorNamesADatabaseThatIsGone(t *testing.T) {
	database := services.OwnPostgres(t)
	h := doctorHost(t, "DATABASE_URL="+database.Database(t))
	database.Stop()
	h.finds("database", "database_away", "does not answer", "degraded")
	database.Start()
	h.healthy()
}

func TestDoctorNamesADatabaseWhoseClockIsWrong(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead of": 20 * time.Minute, "behind": -20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			database := services.OwnPostgresOff(t, off)
			h := newHost(t, configuration)
			h.env = []string{"DATABASE_URL=" + database.Database(t)}
			h.start()
			h.finds("database", "clock_off", "the database's clock is 20m0s "+name+" this machine's")
		})
	}
}

func TestDoctorNamesADataFolderOfAnotherUser(t *testing.T) {
	h := newHost(t, configuration)
	data := filepath.Join(h.dir, "data")
	h.start()
	h.healthy()
	if os.Geteuid() != 0 {
		// Nobody gives a folder away without being root; its mode does it then.
		for mode, want := range map[fs.FileMode]bool{0o500: false, 0o700: true} {
			if err := os.Chmod(data, mode); err != nil {
				t.Fatal(err)
			}
			if want {
				h.healthy()
			} else {
				h.finds("data folder", "folder_not_writable", "cannot be written to", "degraded")
			}
		}
		return
	}
	h.signal(os.Interrupt)
	h.wait()

	// The server's user is one that has no rights; the folder was root's.
	const nobody = 65534
	open := []string{filepath.Dir(h.dir), filepath.Dir(binary)}
	for _, dir := range open {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.through = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	if err := os.Chown(filepath.Join(h.dir, "belfry.yaml"), nobody, nobody); err != nil {
		t.Fatal(err)
	}
	h.begin()
	if h.wait() == 0 {
		t.Error("a server starts on a folder that it cannot write to")
	}
	h.finds("data folder", "folder_not_writable", "permission denied", "not_running")

	give := func(owner int) {
		err := filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, owner, owner)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	give(nobody)
	h.start()
	h.healthy()
	if status := h.health(); status != http.StatusOK {
		t.Errorf("/health is %d", status)
	}
	give(0) // as a restored backup, or a command run by root, does
	h.through = nil
	h.finds("data folder", "folder_not_writable", "the server runs as the user 65534", "degraded")
	give(nobody)
	h.healthy()
}

// health asks for the report.
func (h *host) health() int {
	h.t.Helper()
	resp, err := h.http.Get("http://" + h.metrics + "/health")
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestProbesGoAsOftenAsIsSet(t *testing.T) {
	h := newHost(t, configuration+"health: {probe_every: 1s}\n")
	h.start()
	for deadline := time.Now().Add(10 * time.Second); ; { // before the second by default
		if n := h.metric("belfry_probe_seconds_count"); n >= 3 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%v probes came back", n)
		}
	}
}

// metric reads a figure without labels.
func (h *host) metric(name string) float64 {
	h.t.Helper()
	resp, err := h.http.Get("http://" + h.metrics + "/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				h.t.Fatal(err)
			}
			return n
		}
	}
	h.t.Fatalf("there is no metric %s", name)
	return 0
}
