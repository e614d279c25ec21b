package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// connection is one as the console shows it.
type connection struct {
	Socket   string    `json:"socket_id"`
	App      appName   `json:"app"`
	User     string    `json:"user_id"`
	Address  string    `json:"address"`
	Opened   time.Time `json:"opened_at"`
	Silent   float64   `json:"idle_s"`
	Channels []string  `json:"channels"` // the first 20
	Count    int       `json:"channel_count"`
	Waiting  int       `json:"waiting_bytes"`
	In       int64     `json:"bytes_in"`
	Out      int64     `json:"bytes_out"`
	Library  string    `json:"library"`    // with its version; as the client says
	Agent    string    `json:"user_agent"` // as the client says
	Engine   string    `json:"engine"`
}

type appName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (c *Console) appName(id string) appName {
	if app := c.cfg.Hub.App(id); app != nil {
		return appName{id, app.Name}
	}
	return appName{id, id}
}

// maxNames is how many channels of a connection its line names.
const maxNames = 20

func (c *Console) shown(one *hub.Connection, most int) connection {
	names := []string{}
	for i, seat := range one.Seats {
		if i == most {
			break
		}
		names = append(names, seat.Channel)
	}
	return connection{Socket: one.Socket, App: c.appName(one.App), User: userOf(one), Address: one.Address, Opened: one.Opened,
		Silent: one.Gauge.Silent.Seconds(), Channels: names, Count: len(one.Seats), Waiting: one.Gauge.Waiting, In: one.Gauge.In, Out: one.Gauge.Out,
		Library: strings.TrimSpace(printable(one.Software.Library + " " + one.Software.Version)), Agent: printable(one.Software.Agent), Engine: c.cfg.Engine}
}

// userOf gives whom a connection stands for, as far as known.
func userOf(one *hub.Connection) string {
	user := one.User
	for i := 0; i < len(one.Seats) && user == ""; i++ {
		user = one.Seats[i].User
	}
	return user
}

// orders are what connections may be sorted by, with what stands first. Without
// one they are sorted by app and socket id.
var orders = map[string]func(a, b *hub.Connection) int{
	"received": func(a, b *hub.Connection) int { return cmp.Compare(b.Gauge.In, a.Gauge.In) },
	"sent":     func(a, b *hub.Connection) int { return cmp.Compare(b.Gauge.Out, a.Gauge.Out) },
	"waiting":  func(a, b *hub.Connection) int { return cmp.Compare(b.Gauge.Waiting, a.Gauge.Waiting) },
	"silent":   func(a, b *hub.Connection) int { return cmp.Compare(b.Gauge.Silent, a.Gauge.Silent) },
	"newest":   func(a, b *hub.Connection) int { return b.Opened.Compare(a.Opened) },
	"oldest":   func(a, b *hub.Connection) int { return a.Opened.Compare(b.Opened) },
}

// connections answers with the open connections, by app and socket id, or the
// first ones of another order, whose next page another moment would mix up. Of a
// large server only the page that is asked for is kept.
func (c *Console) connections(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	text := strings.ToLower(q.Get("q"))
	place := func(one *hub.Connection) string { return one.App + "\n" + one.Socket }
	order, ordered := orders[q.Get("order")]
	if !ordered && q.Get("order") != "" {
		return nil, fault("order", "write one of "+strings.Join(slices.Sorted(maps.Keys(orders)), ", "))
	}
	by := func(a, b hub.Connection) int {
		first := 0
		if ordered {
			first = order(&a, &b)
		}
		return cmp.Or(first, cmp.Compare(place(&a), place(&b)))
	}
	after, total := q.Get("cursor"), 0
	var page []hub.Connection
	c.cfg.Hub.Connections(q.Get("app"), 0, func(one *hub.Connection) bool {
		switch {
		case q.Get("user") != "" && !one.Is(q.Get("user")),
			q.Get("address") != "" && !strings.HasPrefix(one.Address, q.Get("address")),
			q.Get("channel") != "" && !one.On(q.Get("channel")),
			text != "" && !finds(one, text):
			return false
		}
		if total++; !ordered && place(one) <= after {
			return false
		}
		if page = append(page, *one); len(page) > 4*most {
			slices.SortFunc(page, by)
			page = page[:most+1]
		}
		return false // what it gives is gathered here
	})
	slices.SortFunc(page, by)
	cursor := ""
	if len(page) > most {
		page = page[:most]
		if !ordered {
			cursor = place(&page[most-1])
		}
	}
	all := []connection{}
	for i := range page {
		all = append(all, c.shown(&page[i], maxNames))
	}
	return map[string]any{"connections": all, "total": total, "next_cursor": next(cursor)}, nil
}

func finds(one *hub.Connection, text string) bool {
	for _, s := range [...]string{one.Socket, one.User, one.Address, one.App, one.Software.Library, one.Software.Agent} {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return slices.ContainsFunc(one.Seats, func(s hub.Seat) bool {
		return strings.Contains(strings.ToLower(s.Channel), text) || strings.Contains(strings.ToLower(s.User), text)
	})
}

// maxChannels is how many channels one connection's own page names.
const maxChannels = 500

// connection answers with one, open or remembered.
func (c *Console) connection(r *http.Request, _ *call) (any, error) {
	id := r.PathValue("socket")
	var history *trace.Connection
	if past := c.cfg.Trace.Connections(trace.Links{Socket: id, Limit: 1}); len(past) > 0 {
		history = &past[0]
	}
	found, there := c.cfg.Hub.Connection(id)
	if !there && history == nil {
		return nil, c.noConnection(id)
	}
	var open *connection
	if there {
		one := c.shown(&found, maxChannels)
		open = &one
	}
	return map[string]any{"connection": open, "history": history, "page": c.pageOf(id)}, nil
}

func (c *Console) noConnection(id string) error {
	var open []string
	for _, one := range c.cfg.Hub.Connections("", 2000, nil) {
		open = append(open, one.Socket)
	}
	return unknown("connection", id, explain.Near(id, open))
}

// closeConnection ends one. The code is one of the protocol's, 4000 to 4299.
func (c *Console) closeConnection(r *http.Request, one *call) (any, error) {
	one.subject = r.PathValue("socket")
	ask := struct {
		Code   int    `json:"code"`
		Reason string `json:"reason"`
	}{Code: int(pusher.CloseUnauthorized), Reason: "an administrator closed this connection"}
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	if ask.Code < 4000 || ask.Code > 4299 {
		return nil, fault("code", "write a close code from 4000 to 4299: clients stay away after 4000 to 4099, come back later after 4100 to 4199, and at once after 4200 to 4299")
	}
	if len(ask.Reason) > 120 {
		return nil, fault("reason", "write at most 120 bytes: a close frame holds no more")
	}
	one.note("code", ask.Code)
	one.note("reason", ask.Reason)
	if !c.cfg.Hub.End(one.subject, pusher.CloseCode(ask.Code), ask.Reason) {
		return nil, c.noConnection(one.subject)
	}
	return map[string]bool{"closed": true}, nil
}

// app gives the app that a request names, or says what is near it.
func (c *Console) app(id string) (*belfry.App, error) {
	if app := c.cfg.Hub.App(id); app != nil {
		return app, nil
	}
	var ids []string
	for _, app := range c.cfg.Hub.Apps() {
		ids = append(ids, app.ID)
	}
	near := explain.Near(id, ids)
	if len(near) == 0 {
		near = ids[:min(len(ids), 5)]
	}
	return nil, unknown("app", id, near)
}
