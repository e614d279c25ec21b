package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/webhook"
)

// Local is a server of this machine, with its settings.
type Local struct {
	// Settings says where they come from. Listen is the address that a start
	// would take, DataDir the data folder.
	Settings, Listen, DataDir string
	// Running is the server on that folder; nil when none answers. Holder is then
	// the process that holds the folder all the same, 0 for none, and Silence what
	// became of asking it.
	Running *Running
	Holder  int
	Silence error
	// Changes gives the keys of settings that were changed and that the server has
	// not taken up: what a reload would, and what a restart would. It may be nil.
	Changes func(ctx context.Context) (reload, restart []string, err error)
	// DB is the database; nil when there is none yet. Broadcaster is the kind of
	// connection. All functions may be nil.
	DB          *store.DB
	Broadcaster string
	// Reach asks the broadcaster's target for an answer.
	Reach func(ctx context.Context) error
	// Sizes and Workers ask the queue; where they are nil, Unopened may say why.
	// Sync says that jobs run where they are made.
	Sizes    func(ctx context.Context) (map[string]queue.Size, error)
	Workers  func(ctx context.Context) ([]queue.WorkerInfo, error)
	Unopened error
	Sync     bool
	// WebhookSecrets sign webhooks sent here, Dashboards is how many dashboards
	// wait for them. Weak says why a secret is easily guessed.
	WebhookSecrets []string
	Dashboards     int
	Weak           func(secret string) string
	// Machine are the machine's figures; default: as measured.
	Machine *Machine
}

// Machine is what bounds a server; what is 0 is not known.
type Machine struct {
	Files, Open int // files that the server may open, and that it has open
	// Memory is the bytes that it may take yet, MemoryBy what bounds them; default
	// the machine's free memory.
	Memory   int
	MemoryBy string
	// Bytes, and names of files, on the data folder's disk.
	Free, All, FreeNames, AllNames uint64
}

// Running is a server that runs.
type Running struct {
	PID int
	// Address is host:port in use, URL how this machine reaches it, Health the
	// address of the detailed health report, empty for none.
	Address, URL, Health string
}

// Steps gives the checks of a server of this machine, but for those of Target.
func (l Local) Steps() []Step {
	return []Step{
		{Name: "settings", Run: func(context.Context) Check { return Pass("%s", l.Settings) }},
		{Name: "data folder", Run: l.folder},
		{Name: "port", Run: l.port},
		{Name: "server", Run: l.server},
		{Name: "settings in force", Needs: []string{"server"}, Run: l.changes},
		{Name: "capacity", Run: l.capacity},
		{Name: "disk", Run: l.disk},
		{Name: "database", Run: l.database},
		{Name: "queue", Needs: []string{"database"}, Run: l.queue},
		{Name: "workers", Needs: []string{"database"}, Run: l.workers},
		{Name: "broadcaster", Run: l.broadcaster},
		{Name: "health", Needs: []string{"server"}, Run: l.health},
		{Name: "authorization", Needs: []string{"server"}, Run: l.authorization},
		{Name: "webhooks", Run: l.webhooks},
	}
}

func (l Local) folder(context.Context) Check {
	info, err := os.Stat(l.DataDir)
	if os.IsNotExist(err) {
		return Pass("%s is not there yet; the first start makes it", l.DataDir)
	}
	if err != nil || !info.IsDir() {
		return Fail(FolderNotWritable, "name a folder with BELFRY_DATA_DIR or --data-dir", "%s is no folder that can be read", l.DataDir)
	}
	switch err := writeIn(l.DataDir); {
	case full(err):
		return Fail(DiskFull, makeRoom, "%s takes no file: %s", l.DataDir, plain(err))
	case err != nil:
		return Fail(FolderNotWritable, fmt.Sprintf("run as the user that owns it, or: chown -R USER %s", l.DataDir), "%s cannot be written to: %s", l.DataDir, plain(err))
	}
	if l.Running != nil {
		if owner, user, yes := strange(l.Running.PID, info); yes {
			return Fail(FolderNotWritable, fmt.Sprintf("chown -R %d %s", user, l.DataDir), "%s cannot be written to by the server: it belongs to the user %d, and the server runs as the user %d", l.DataDir, owner, user)
		}
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Fail(FolderOpen, "chmod 700 "+l.DataDir, "%s, which holds keys, is open to other users: its mode is %o", l.DataDir, info.Mode().Perm())
	}
	return Pass("%s can be written to, by its owner alone", l.DataDir)
}

// writeIn proves that a folder takes a file with something in it.
func writeIn(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close())
}

func (l Local) port(ctx context.Context) Check {
	if l.Running != nil {
		return Pass("%s is the running server's", l.Running.Address)
	}
	if l.Holder != 0 {
		return Skip("it may be held by process %d, which holds the data folder", l.Holder)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Listen)
	if err != nil {
		return Fail(PortTaken, "stop what holds the port, or choose another with BELFRY_LISTEN", "%s cannot be listened on: %s", l.Listen, plain(err))
	}
	listener.Close()
	return Pass("%s is free", l.Listen)
}

func (l Local) server(context.Context) Check {
	if l.Running == nil && l.Holder != 0 {
		return Fail(NotAnswering, fmt.Sprintf("see its log, and its open files below; kill -CONT %[1]d if it was stopped; before a restart, kill -QUIT %[1]d writes what it does into its log, and ends it", l.Holder),
			"process %d holds %s and does not answer: %s", l.Holder, l.DataDir, plain(l.Silence))
	}
	if l.Running == nil {
		return Fail(NotRunning, "start one with: belfry serve; if one runs elsewhere, name its folder with --data-dir, or examine it with --host and --key", "no server runs on %s", l.DataDir)
	}
	return Pass("process %d on %s", l.Running.PID, l.Running.Address)
}

// changes finds settings that were edited and not taken up.
func (l Local) changes(ctx context.Context) Check {
	if l.Changes == nil {
		return Skip("the server was not started from settings that can be read again")
	}
	reload, restart, err := l.Changes(ctx)
	switch {
	case err != nil:
		return Skip("the server does not say which of its settings were changed: %s", plain(err))
	case len(restart) > 0:
		return Fail(SettingsNotInForce, "restart the server; belfry config diff shows old and new", "changed since the server read its settings: %s", short(strings.Join(append(restart, reload...), ", ")))
	case len(reload) > 0:
		return Fail(SettingsNotInForce, "belfry config reload; belfry config diff shows old and new", "changed since the server read its settings: %s", short(strings.Join(reload, ", ")))
	}
	return Pass("the server has taken up all settings")
}

// What one idle connection takes here, as measured, and in the kernel.
const (
	perConnection = 830
	perSocket     = 5 << 10
	fewest        = 1000 // connections that any machine should hold
	spareFiles    = 100
	leastMemory   = 32 << 20
	fewestNames   = 1000
)

// machine gives the figures of the server's machine.
func (l Local) machine() Machine {
	if l.Machine != nil {
		return *l.Machine
	}
	pid := cmp.Or(l.Holder, os.Getpid())
	if l.Running != nil {
		pid = l.Running.PID
	}
	dir := l.DataDir
	for { // a folder that is not there yet is made in the next above
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return measure(pid, dir)
		}
		dir = filepath.Dir(dir)
	}
}

func (l Local) capacity(context.Context) Check {
	m := l.machine()
	if m.Files == 0 && m.Memory == 0 {
		return Skip("limits of files and memory are not known on %s", runtime.GOOS)
	}
	byFiles, byMemory, memory := m.Files-spareFiles, m.Memory/(perConnection+perSocket), cmp.Or(m.MemoryBy, "free memory")
	holds, by := byFiles, "its limit of open files"
	if m.Files == 0 || m.Memory > 0 && byMemory < byFiles {
		holds, by = byMemory, memory
		if by == "free memory" {
			by = "its free memory"
		}
	}
	files := strconv.Itoa(m.Files)
	if m.Open > 0 && (l.Running != nil || l.Holder != 0) {
		files = fmt.Sprintf("%d of %d", m.Open, m.Files)
	}
	seen := fmt.Sprintf("this machine holds about %d connections, by %s (open files: %s, %s: %d MB)", max(0, holds), by, files, memory, m.Memory>>20)
	switch {
	case m.Files > 0 && byFiles < fewest, m.Files > 0 && m.Open > m.Files/10*9:
		return Fail(FewFiles, "raise the limit of open files: LimitNOFILE=1048576 in systemd, ulimits in Compose, ulimit -n in a shell", "%s", seen)
	case m.Memory > 0 && m.Memory < leastMemory:
		return Fail(LittleMemory, "free memory, take a larger machine, or raise what bounds it: MemoryMax in systemd, mem_limit in Compose, resources.limits in Kubernetes", "%s", seen)
	}
	return Pass("%s", seen)
}

// makeRoom is what to do about a full disk.
const makeRoom = "make room, or move the data folder"

func (l Local) disk(context.Context) Check {
	m := l.machine()
	switch {
	case m.All == 0:
		return Skip("the space is not known here")
	case m.Free < 100<<20, m.Free < m.All/50:
		return Fail(DiskFull, makeRoom, "%d MB are free of %d MB under %s", m.Free>>20, m.All>>20, l.DataDir)
	case m.AllNames > 0 && m.FreeNames < fewestNames:
		return Fail(DiskFull, "remove files that nobody needs: df -i and find tell where they are", "the disk under %s has room for %d more files only, though %d MB are free", l.DataDir, m.FreeNames, m.Free>>20)
	}
	return Pass("%d MB are free under %s", m.Free>>20, l.DataDir)
}

// database reaches it, and compares its schema with this program's and its clock
// with this machine's.
func (l Local) database(ctx context.Context) Check {
	if l.DB == nil {
		return Skip("there is no database yet; the first start makes it")
	}
	began := time.Now()
	if err := l.DB.Check(ctx); err != nil {
		return Fail(DatabaseAway, "check DATABASE_URL, and that the database runs and lets this machine in", "%s does not answer: %s", l.DB, plain(err))
	}
	took := time.Since(began)
	pending, err := l.DB.Pending(ctx)
	if err != nil {
		return Fail(DatabaseAway, "see the error; belfry db:migrate", "the schema of %s cannot be read: %s", l.DB, plain(err))
	}
	if pending > 0 {
		return Fail(SchemaOld, "belfry db:migrate; a start of serve does it too", "%s lacks %d steps of this version's schema", l.DB, pending)
	}
	off := time.Duration(0)
	if l.DB.Dialect() == store.Postgres {
		var theirs time.Time
		asked := time.Now()
		if err := l.DB.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err == nil {
			off = theirs.Sub(asked.Add(time.Since(asked) / 2))
		}
	}
	if off.Abs() > 5*time.Second {
		return Fail(ClockOff, "set both clocks by NTP: delays and heartbeats go by the database's", "the database's clock is %s this machine's", ahead(off))
	}
	return Pass("%s answers in %.1f ms; its schema is this version's", l.DB, float64(took.Microseconds())/1000)
}

func (l Local) queue(ctx context.Context) Check {
	if l.Sync {
		return Skip("QUEUE_CONNECTION is sync: jobs run where they are made")
	}
	const fix = "start what keeps the jobs, Redis or the database, or check QUEUE_CONNECTION and REDIS_*; the server goes on by itself when it is back"
	switch {
	case l.Sizes == nil && l.Unopened != nil:
		return Fail(QueueAway, fix, "the queue cannot be opened: %s", plain(l.Unopened))
	case l.Sizes == nil:
		return Fail(QueueAway, fix, "the queue cannot be opened")
	}
	sizes, err := l.Sizes(ctx)
	if err != nil {
		return Fail(QueueAway, fix, "the queue does not answer: %s", plain(err))
	}
	waiting, failed := 0, 0
	var paused []string
	for name, s := range sizes {
		waiting, failed = waiting+s.Waiting, failed+s.Failed
		if s.Paused {
			paused = append(paused, name)
		}
	}
	if len(paused) > 0 {
		slices.Sort(paused)
		return Fail(QueuePaused, "belfry queue:continue", "paused: %s; jobs that wait: %d", strings.Join(paused, ", "), waiting)
	}
	return Pass("jobs that wait: %d, that failed: %d", waiting, failed)
}

func (l Local) workers(ctx context.Context) Check {
	if l.Sync {
		return Skip("QUEUE_CONNECTION is sync: jobs run where they are made")
	}
	if l.Workers == nil {
		return Skip("the queue could not be opened")
	}
	all, err := l.Workers(ctx)
	if err != nil {
		return Fail(QueueAway, "check the database", "workers cannot be listed: %s", plain(err))
	}
	alive := slices.DeleteFunc(slices.Clone(all), func(w queue.WorkerInfo) bool { return w.Silent })
	if len(alive) == 0 {
		return Fail(NoWorker, "start one with: belfry broadcast:start, or serve without --no-workers", "no worker is alive (known: %d): queued events wait", len(all))
	}
	if alone := l.alone(ctx, alive); len(alone) > 0 {
		return Fail(NoWorker, "start one for them: belfry broadcast:start --queue=NAME,NAME", "jobs wait in queues that no worker takes jobs from: %s", short(strings.Join(alone, ", ")))
	}
	last := slices.MaxFunc(alive, func(a, b queue.WorkerInfo) int { return a.Seen.Compare(b.Seen) }).Seen
	return Pass("alive: %d; the last heartbeat was %.0f s ago", len(alive), max(0, time.Since(last).Seconds()))
}

// alone gives the queues in which jobs wait that no worker is for. A queue that
// is paused has its own check.
func (l Local) alone(ctx context.Context, workers []queue.WorkerInfo) (names []string) {
	if l.Sizes == nil {
		return nil
	}
	sizes, err := l.Sizes(ctx)
	if err != nil {
		return nil
	}
	for name, s := range sizes {
		served := slices.ContainsFunc(workers, func(w queue.WorkerInfo) bool { return slices.Contains(w.Queues, name) })
		if s.Waiting > 0 && !s.Paused && !served {
			names = append(names, fmt.Sprintf("%s (%d)", name, s.Waiting))
		}
	}
	slices.Sort(names)
	return names
}

func (l Local) broadcaster(ctx context.Context) Check {
	switch {
	case l.Broadcaster == "null", l.Broadcaster == "log":
		return Fail(BroadcasterMute, "set BROADCAST_CONNECTION=local", "BROADCAST_CONNECTION is %s: no event reaches anybody", l.Broadcaster)
	case l.Reach == nil || l.Running == nil && l.Broadcaster == "local":
		return Skip("it is local, and no server runs")
	}
	if err := l.Reach(ctx); err != nil {
		return Fail(BroadcasterAway, "check PUSHER_HOST, PUSHER_PORT and PUSHER_SCHEME, and that the target is up", "the broadcaster %s does not answer: %s", l.Broadcaster, plain(err))
	}
	return Pass("the broadcaster %s answers", l.Broadcaster)
}

// health reads the server's own report.
func (l Local) health(ctx context.Context) Check {
	if l.Running.Health == "" {
		return Skip("metrics_listen is off")
	}
	_, body, err := request(ctx, http.MethodGet, l.Running.Health, nil, nil)
	if err != nil {
		return Skip("the health report was not reached: %s", plain(err))
	}
	var report struct {
		Status     string `json:"status"`
		Components map[string]struct {
			Status string `json:"status"`
			Error  string `json:"error"`
		} `json:"components"`
	}
	if json.Unmarshal(body, &report) != nil {
		return Skip("the health report cannot be read")
	}
	var down []string
	for name, c := range report.Components {
		if c.Status != "up" {
			down = append(down, name+": "+c.Error)
		}
	}
	if len(down) > 0 {
		slices.Sort(down)
		return Fail(Degraded, "mend what is named first; the log says more", "%s", short(strings.Join(down, "; ")))
	}
	return Pass("all %d parts of the server are up", len(report.Components))
}

// authorization asks as somebody who is not signed in, which is to be refused.
func (l Local) authorization(ctx context.Context) Check {
	form := url.Values{"socket_id": {"1.1"}, "channel_name": {"private-belfry-doctor"}}
	resp, body, err := request(ctx, http.MethodPost, l.Running.URL+"/broadcasting/auth", []byte(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if err != nil {
		return Fail(AuthNotAnswered, "see the server's log", "/broadcasting/auth gave no answer: %s", plain(err))
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusOK, 419:
		return Pass("/broadcasting/auth answers, and lets nobody in who is not signed in (%d)", resp.StatusCode)
	case http.StatusTooManyRequests:
		return Skip("/broadcasting/auth was asked too often from here; try again in a minute")
	}
	return Fail(AuthNotAnswered, "see the server's log under denied; with authorization.url, whether the application answers there", "/broadcasting/auth answered %s: %s", resp.Status, short(string(body)))
}

// webhooks judges the secret and makes a signed call that changes nothing: it
// names a dashboard that there is not.
func (l Local) webhooks(ctx context.Context) Check {
	if len(l.WebhookSecrets) == 0 {
		if l.Dashboards == 0 {
			return Skip("there is no secret for webhooks, and no dashboard that waits for them")
		}
		return Fail(NoWebhookSecret, "set SERVICES_WEBHOOK_SHARED_SECRET, the same as at the sender; make one with: openssl rand -hex 32", "there are dashboards, and no secret for webhooks")
	}
	for _, secret := range l.WebhookSecrets {
		if l.Weak == nil {
			break
		}
		if why := l.Weak(secret); why != "" {
			return Fail(WeakWebhookSecret, "make one with: openssl rand -hex 32, and set it at the sender too", "the secret of webhooks is weak: %s", why)
		}
	}
	if l.Running == nil {
		return Skip("no server runs")
	}
	body := []byte(`{"reason":"belfry doctor","dashboard":"belfry-doctor-none"}`)
	header := http.Header{"Content-Type": {"application/json"}, webhook.HeaderSignature: {webhook.Sign(l.WebhookSecrets[0], body)}}
	resp, answer, err := request(ctx, http.MethodPost, l.Running.URL+"/api/dashboard/notify-update", body, header)
	switch {
	case err != nil:
		return Fail(WebhookRefused, "see the server's log", "a signed call gave no answer: %s", plain(err))
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusOK:
		return Pass("a signed call was taken; it changed nothing")
	}
	return Fail(WebhookRefused, "does the running server have this secret? belfry config diff, belfry config reload", "a signed call was answered with %s: %s", resp.Status, short(string(answer)))
}

// request asks this machine's server.
func request(ctx context.Context, method, address string, body []byte, header http.Header) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp, answer, err
}
