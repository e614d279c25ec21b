package broadcast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
	"github.com/belfryhq/belfry/pusher"
)

// prepare checks an event against its app and gives the form in which it is
// kept and sent: with an id, the app's id, its final data, no channel twice.
func (b *Broadcaster) prepare(e belfry.Event) (belfry.Event, error) {
	app, err := b.app(e.App)
	if err != nil {
		return e, err
	}
	now := b.cfg.Now()
	e.App = app.ID
	if e.ID == "" {
		e.ID = belfry.NewID(now)
	}
	if e.Accepted.IsZero() {
		e.Accepted = now.UTC()
	}
	if len(e.Data) == 0 {
		e.Data = json.RawMessage("{}")
	}
	if err := b.checkFields(&e); err != nil {
		return e, err
	}
	if e.WithID {
		if e.Data, err = addID(e.Data, e.ID); err != nil {
			return e, err
		}
		e.WithID = false
	}
	checked, err := parse(e, pusher.Naming{Limits: app.Limits, Strict: app.StrictNames})
	if err != nil {
		return e, err
	}
	e.Channels = checked.Channels
	return e, checkEncrypted(app, &e, checked.Size)
}

// app gives the app of that id, or the default one.
func (b *Broadcaster) app(id string) (*belfry.App, error) {
	app := b.cfg.Apps(id)
	switch {
	case app == nil && id == "":
		return nil, &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no app to broadcast for", Hint: "add one with: belfry app:add"}
	case app == nil:
		return nil, &belfry.Error{Code: belfry.CodeNotFound, Message: fmt.Sprintf("app: there is no app %q", clip(id)), Hint: "see them with: belfry app:list"}
	case app.Disabled:
		return nil, belfry.Errorf(belfry.CodeForbidden, "app %q is disabled", app.ID)
	}
	return app, nil
}

// checkFields judges what the protocol's own checks do not, in the words of
// belfry.Event.
func (b *Broadcaster) checkFields(e *belfry.Event) error {
	switch {
	case e.Name == "":
		return belfry.Errorf(belfry.CodeInvalid, "event: the event's name is missing")
	case len(e.Channels) == 0:
		return belfry.Errorf(belfry.CodeInvalid, "channels: name at least one channel")
	case !json.Valid(e.Data):
		return belfry.Errorf(belfry.CodeInvalid, "data: not valid JSON")
	case e.ExcludeSocket != "" && !pusher.ValidSocketID(e.ExcludeSocket):
		return belfry.Errorf(belfry.CodeInvalid, "exclude_socket_id: %q is malformed: it must be digits, a dot, digits, as socketId() of the client gives it", clip(e.ExcludeSocket))
	}
	if e.Condition != "" && b.condition[e.Condition] == nil {
		known := strings.Join(slices.Sorted(maps.Keys(b.condition)), ", ")
		return belfry.Errorf(belfry.CodeInvalid, "condition: there is no condition %q; there are: %s", clip(e.Condition), known)
	}
	return nil
}

// addID puts "event_id" first into data, which must be an object without one.
func addID(data json.RawMessage, id string) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, belfry.Errorf(belfry.CodeInvalid, "with_id: data must be an object to carry event_id")
	}
	if _, taken := members["event_id"]; taken {
		return nil, belfry.Errorf(belfry.CodeInvalid, "with_id: data has a member event_id already: leave out with_id, or rename that member")
	}
	rest := bytes.TrimSpace(data)[1:]
	with := make([]byte, 0, len(data)+len(id)+16)
	with = append(with, `{"event_id":`...)
	with = pusher.AppendString(with, id)
	if len(members) > 0 {
		with = append(with, ',')
	}
	return append(with, rest...), nil
}

// parse gives the event as the protocol has it. Errors as pusher.ParseEvent's.
func parse(e belfry.Event, naming pusher.Naming) (pusher.Event, error) {
	body := make([]byte, 0, len(e.Data)+len(e.Name)+32*len(e.Channels)+96)
	body = append(body, `{"name":`...)
	body = pusher.AppendString(body, e.Name)
	body = append(body, `,"channels":[`...)
	for i, channel := range e.Channels {
		if i > 0 {
			body = append(body, ',')
		}
		body = pusher.AppendString(body, channel)
	}
	body = append(body, `],"data":`...)
	if string(bytes.TrimSpace(e.Data)) == "null" {
		body = append(body, `"null"`...) // null counts as missing there
	} else {
		body = append(body, e.Data...)
	}
	if e.ExcludeSocket != "" {
		body = append(body, `,"socket_id":`...)
		body = pusher.AppendString(body, e.ExcludeSocket)
	}
	return pusher.ParseEvent(append(body, '}'), naming)
}

// Encode gives an accepted event as the protocol has it, for a driver. It
// checks no limit: an event that was accepted does not fail for a limit that
// was lowered since.
func Encode(e belfry.Event) (pusher.Event, error) {
	none := belfry.Limits{
		EventData: belfry.Unlimited, EventNameLength: belfry.Unlimited,
		ChannelNameLength: belfry.Unlimited, ChannelsPerEvent: belfry.Unlimited,
	}
	return parse(e, pusher.Naming{Limits: none})
}

// Reserved refuses an event that only Belfry itself may emit: notification.*,
// DashboardUpdated on a dashboard's channel, and the protocol's own names.
func Reserved(e belfry.Event) error {
	switch {
	case strings.HasPrefix(e.Name, "pusher"):
		return belfry.Errorf(belfry.CodeForbidden, "event: %q is reserved: names that begin with pusher belong to the protocol", clip(e.Name))
	case strings.HasPrefix(e.Name, "notification."):
		return belfry.Errorf(belfry.CodeForbidden, "event: %q is reserved: names that begin with notification. are for notifications; send one with POST /api/notifications", clip(e.Name))
	case e.Name == "DashboardUpdated" && slices.ContainsFunc(e.Channels, isDashboard):
		return belfry.Errorf(belfry.CodeForbidden, "event: DashboardUpdated on a dashboard's channel is reserved: tell of changes with POST /api/dashboard/notify-update")
	}
	return nil
}

func isDashboard(channel string) bool {
	name := strings.TrimPrefix(channel, "private-")
	return name == "dashboard" || strings.HasPrefix(name, "dashboard.")
}

// clip shortens what a stranger sent, for an error.
func clip(s string) string { return words.Clip(s, 64) }
