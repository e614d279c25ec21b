package notify

import (
	"encoding/json"
	"html"
	"time"
)

// The statuses of a notification.
const (
	StatusDraft     = "draft"
	StatusScheduled = "scheduled"
	StatusSending   = "sending"
	StatusSent      = "sent"
	StatusCancelled = "cancelled"
)

// The types of targets.
const (
	TargetAll      = "all"
	TargetUsers    = "users"    // those that are named
	TargetRoles    = "roles"    // who has one of the roles
	TargetActive   = "active"   // who signed in within Days
	TargetInactive = "inactive" // who did not
)

// What may be chosen from, in the order in which it is shown.
var (
	Types      = []string{"system", "announcement", "alert", "reminder"}
	Priorities = []string{"high", "medium", "low"}
	Statuses   = []string{StatusDraft, StatusScheduled, StatusSending, StatusSent, StatusCancelled}
	Targets    = []string{TargetAll, TargetUsers, TargetRoles, TargetActive, TargetInactive}
)

// Time is a time as the API writes it: RFC 3339 in UTC with milliseconds, null
// for the zero time.
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// Text is a text that is null in JSON when it is empty.
type Text string

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// Content is what a notification says.
type Content struct {
	Title       string          `json:"title"`
	Message     string          `json:"message"`
	TitleHTML   string          `json:"title_html"`   // escaped
	MessageHTML string          `json:"message_html"` // escaped
	Type        string          `json:"type"`
	Priority    string          `json:"priority"`
	Importance  int             `json:"importance"`
	Category    Text            `json:"category"`
	Icon        Text            `json:"icon"`
	Color       Text            `json:"color"`
	ActionURL   Text            `json:"action_url"`
	ActionText  Text            `json:"action_text"`
	Dismissible bool            `json:"dismissible"`
	Created     Time            `json:"created_at"`
	Sent        Time            `json:"sent_at"`
	Expires     Time            `json:"expires_at"`
	Data        json.RawMessage `json:"data"` // an object
}

// escape fills the escaped texts in. Nothing else in Belfry escapes them.
func (c *Content) escape() {
	c.TitleHTML, c.MessageHTML = html.EscapeString(c.Title), html.EscapeString(c.Message)
}

// Item is a notification as one receiver has it.
type Item struct {
	ID string `json:"id"`
	Content
	Read      Time `json:"read_at"`
	Dismissed Time `json:"dismissed_at"`
	Archived  Time `json:"archived_at"`
	// Version is the receiver's state version at which this last changed.
	Version int64 `json:"version"`
}

// State is where one receiver's notifications stand.
type State struct {
	Unread  int   `json:"unread_count"`
	Version int64 `json:"state_version"`
}

// Target says whom a notification is for.
type Target struct {
	Type  string   `json:"type"`
	Users []string `json:"users"`
	Roles []string `json:"roles"`
	// Days is what active and inactive reach back; default 30.
	Days int `json:"days"`
}

// audience gives the users, as of the moment when sending begins.
func (t Target) audience(began time.Time) Audience {
	since := began.AddDate(0, 0, -t.Days)
	switch t.Type {
	case TargetUsers:
		return Audience{IDs: t.Users}
	case TargetRoles:
		return Audience{Roles: t.Roles}
	case TargetActive:
		return Audience{ActiveSince: since}
	case TargetInactive:
		return Audience{InactiveSince: since}
	}
	return Audience{}
}

// Person is a user as others see them.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Notification is a notification as its managers see it.
type Notification struct {
	ID string `json:"id"`
	Content
	Status    string `json:"status"`
	Target    Target `json:"target"`
	Scheduled Time   `json:"scheduled_at"`
	CreatedBy Person `json:"created_by"`
	Revision  int64  `json:"revision"`
	Stats     Counts `json:"stats"`
}

// Counts are what became of a notification.
type Counts struct {
	Recipients int `json:"recipients"`
	// Live are those who had a page open, at least: whom a worker told just
	// before it died, and had not noted yet, is left out.
	Live      int `json:"delivered_live"`
	Read      int `json:"read"`
	Dismissed int `json:"dismissed"`
}
