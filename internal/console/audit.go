package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/store"
)

// Bounds of the log of what administrators did.
const (
	auditKeep  = 90 * 24 * time.Hour
	auditWrite = 3 * time.Second
	maxDetails = 4 << 10
)

// deed is one line of the log.
type deed struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"at"`
	User    person          `json:"user"`
	By      string          `json:"by"` // "session" or the token
	Address string          `json:"address"`
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Error   string          `json:"error,omitempty"` // why it was not done
	Details json.RawMessage `json:"details,omitempty"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Record writes down what an administrator did elsewhere, or tried: the action,
// what it was done to, and further details, none of them secret. failure is nil
// when it was done. The end of ctx does not end it.
func (c *Console) Record(ctx context.Context, caller gate.Caller, action, subject string, details map[string]any, failure error) {
	c.write(ctx, action, &call{Caller: caller, subject: subject, details: details}, failure)
}

// write notes what somebody did, or tried. The request's end does not end it.
func (c *Console) write(ctx context.Context, action string, one *call, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWrite)
	defer cancel()
	now := c.cfg.Now()
	details, err := json.Marshal(one.details)
	if err != nil || one.details == nil || len(details) > maxDetails {
		details = nil
	}
	problem := ""
	if failure != nil {
		problem = string(belfry.CodeOf(failure))
		if _, faults := failure.(fields); faults {
			problem = string(belfry.CodeInvalid)
		}
	}
	by := string(one.Kind)
	if one.Token != nil {
		by = "token " + one.Token.ID
	}
	address := ""
	if one.Address.IsValid() {
		address = one.Address.String()
	}
	_, err = c.cfg.DB.Exec(ctx, `INSERT INTO console_audit (id, at, user_id, user_name, made_by, address, action, subject, error, details)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.deedID(now), store.Millis(now), one.User.ID, plain(one.User.Name), by, address, action, plain(one.subject), problem, string(details))
	attrs := []any{"action", action, "subject", clip(one.subject, 200), "user", one.User.ID, "by", by, "address", address, "failed", problem}
	if err != nil {
		c.cfg.Logger.Error("what an administrator did could not be written down", append(attrs, "error", err)...)
		return
	}
	c.cfg.Logger.Info("administrator", attrs...)
}

// deedID gives an id that sorts behind all that were given before: ids of one
// millisecond do not by themselves.
func (c *Console) deedID(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now = now.Truncate(time.Millisecond); !now.After(c.deed) {
		now = c.deed.Add(time.Millisecond)
	}
	c.deed = now
	return belfry.NewID(now)
}

// plain makes a text from outside one that any database takes.
func plain(s string) string {
	return clip(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"), 500)
}

// prune removes what is too old.
func (c *Console) prune(ctx context.Context) {
	before := store.Millis(c.cfg.Now().Add(-auditKeep))
	if _, err := c.cfg.DB.Exec(ctx, `DELETE FROM console_audit WHERE at < $1`, before); err != nil && ctx.Err() == nil {
		c.cfg.Logger.Warn("the log of what administrators did could not be pruned; it is tried again in an hour", "error", err)
	}
}

// auditLog answers with what administrators did, the latest first.
func (c *Console) auditLog(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	rows, err := c.cfg.DB.Query(r.Context(), `SELECT id, at, user_id, user_name, made_by, address, action, subject, error, details FROM console_audit
		WHERE ($1 = '' OR id < $1) AND ($2 = '' OR user_id = $2) AND ($3 = '' OR action = $3) ORDER BY id DESC LIMIT $4`,
		plain(q.Get("cursor")), plain(q.Get("user")), plain(q.Get("action")), most+1)
	var all []deed
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var d deed
		var at int64
		var details string
		err := rows.Scan(&d.ID, &at, &d.User.ID, &d.User.Name, &d.By, &d.Address, &d.Action, &d.Subject, &d.Error, &details)
		d.At = store.Time(at)
		if details != "" {
			d.Details = json.RawMessage(details)
		}
		all = append(all, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	cursor := ""
	if len(all) > most {
		all = all[:most]
		cursor = all[most-1].ID
	}
	return map[string]any{"audit": list(all), "next_cursor": next(cursor)}, nil
}
