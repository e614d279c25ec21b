package control

import (
	"context"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// Backend is what the link reaches. A nil part answers that the server does
// not offer it.
type Backend struct {
	// Status says what runs.
	Status func() Status
	// Hub is the realtime server's; *hub.Hub is one.
	Hub Hub
	// Apps is the list that commands change; *appstore.Roster is one.
	Apps Apps
	// Settings are the server's own.
	Settings Settings
	// Poke is told that another process enqueued jobs; Bell tells the others.
	Poke func()
	Bell *Bell
	// Notes takes what became of events in another process. Explain says why an
	// event did or did not arrive, ExplainAuth which channel rule decides.
	Notes       func([]trace.Note)
	Explain     func(ctx context.Context, q explain.Question) (explain.Verdict, error)
	ExplainAuth func(ctx context.Context, q explain.AuthQuestion) (explain.AuthVerdict, error)
	// Events gives what is remembered of events.
	Events func(trace.Filter) []trace.Timeline
	// Jobs are the queues. Accept takes an event as an application's, and Examine
	// has the server examine itself.
	Jobs    Jobs
	Accept  func(ctx context.Context, r broadcast.Request) (broadcast.Accepted, error)
	Examine func(ctx context.Context) []doctor.Check
}

// Hub is the part of the hub that commands use.
type Hub interface {
	App(id string) *belfry.App
	Channels(ctx context.Context, appID, prefix string) (map[string]hub.ChannelInfo, error)
	Channel(ctx context.Context, appID, name string) (hub.ChannelState, error)
	Users(ctx context.Context, appID, name string) ([]string, error)
	Publish(ctx context.Context, appID string, events []pusher.Event) ([]hub.Published, error)
	PublishOnce(ctx context.Context, appID, id string, event pusher.Event) (p hub.Published, repeat bool, err error)
	Tap(appID string, channels []string, f func(channel string, message []byte)) (stop func())
}

// Apps lists and changes the apps.
type Apps interface {
	List(ctx context.Context) ([]appstore.Entry, error)
	Add(ctx context.Context, n appstore.New) (*appstore.Created, error)
	Remove(ctx context.Context, id string) error
	Rotate(ctx context.Context, id string, how appstore.Rotation) (*appstore.Created, error)
}

// Settings are the configuration of the running server. Values are masked
// where they are secret.
type Settings interface {
	// Effective gives what is in force.
	Effective() []Setting
	// Diff reads the configuration anew and says what a reload would change.
	Diff(ctx context.Context) ([]Change, error)
	// Reload reads the configuration anew and takes on what needs no restart.
	// On an error nothing is changed.
	Reload(ctx context.Context) ([]Change, error)
}

// Setting is one setting in force.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Change is one difference between the settings in force and those written
// down.
type Change struct {
	Key string `json:"key"`
	Old string `json:"old"`
	New string `json:"new"`
	// NeedsRestart says that a reload does not take it on.
	NeedsRestart bool `json:"needs_restart"`
}

// Keys gives the keys of changes: those that a reload takes on, and those that
// want a restart.
func Keys(changes []Change) (reload, restart []string) {
	for _, c := range changes {
		if c.NeedsRestart {
			restart = append(restart, c.Key)
		} else {
			reload = append(reload, c.Key)
		}
	}
	return reload, restart
}

// Status says what runs.
type Status struct {
	Version    string    `json:"version"`
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Listen     string    `json:"listen"`  // the address in use, with the port
	Metrics    string    `json:"metrics"` // likewise; empty for none
	URL        string    `json:"url"`
	DataDir    string    `json:"data_dir"`
	Config     string    `json:"config"` // the file in use; empty for none
	DefaultApp string    `json:"default_app"`
	Draining   bool      `json:"draining"`
}

// Channel is the answer about one channel.
type Channel struct {
	Name          string   `json:"name"`
	Occupied      bool     `json:"occupied"`
	Subscriptions int      `json:"subscriptions"`
	Users         []string `json:"users,omitempty"` // presence channels only
	CachedEvent   string   `json:"cached_event,omitempty"`
	CacheTTL      float64  `json:"cache_ttl_seconds,omitempty"`
}

// Occupied is a channel in a list.
type Occupied struct {
	Name          string `json:"name"`
	Subscriptions int    `json:"subscriptions"`
	Users         *int   `json:"users,omitempty"` // presence channels only
}

// Message is one event of a subscription.
type Message struct {
	Time    time.Time `json:"time"`
	Channel string    `json:"channel,omitempty"`
	Event   string    `json:"event,omitempty"`
	Data    string    `json:"data"`
	UserID  string    `json:"user_id,omitempty"`
	// Missed is not zero in a message that tells nothing but that so many were
	// left out here because the reader is too slow.
	Missed int `json:"missed,omitempty"`
	// End is not empty in the last message of a subscription from another machine
	// that the server ended, and says why.
	End string `json:"end,omitempty"`
}
