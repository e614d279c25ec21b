package explain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/words"
)

// story tells the event's way in sentences.
func (c *inquiry) story(t *trace.Timeline) (lines []string) {
	by := ""
	if t.By != "" {
		by = "handed over by " + t.By
	}
	if t.Address != "" {
		by = strings.TrimSpace(by + " from " + t.Address)
	}
	switch {
	case t.Event == "" && by != "":
		lines = append(lines, "The request was "+by+".")
	case t.Event != "":
		if by != "" {
			by = ", " + by
		}
		lines = append(lines, fmt.Sprintf("The event is %q on %s in app %s%s.", t.Event, channels(t.Channels), t.App, by))
	}
	for _, s := range t.Steps {
		if text := sentence(s); text != "" {
			lines = append(lines, clock(s.At)+" "+text)
		}
	}
	return lines
}

func sentence(s trace.Step) string {
	switch s.What {
	case trace.Accepted:
		return "accepted"
	case trace.Queued:
		if !s.RunAt.IsZero() {
			return "queued in " + s.Queue + ", not before " + clock(s.RunAt)
		}
		return "queued in " + s.Queue
	case trace.Published:
		if s.Receipt == nil {
			return "published on " + s.Channel
		}
		r := s.Receipt
		return fmt.Sprintf("published on %s: %d matched, %d written, %d waiting, %d dropped", s.Channel, r.Matched, r.Written, r.Waiting, r.Dropped)
	case trace.Failed:
		return "a try failed: " + s.Error
	case trace.Retrying:
		return "to be tried again at " + clock(s.RunAt)
	case trace.GaveUp:
		return "given up after " + count(s.Try, "try", "tries") + ": " + s.Error
	case trace.Skipped:
		return "skipped: " + s.Reason
	case trace.Sent:
		return "sent by the broadcaster " + cmp.Or(s.Target, "local")
	case trace.Webhook:
		text := fmt.Sprintf("webhook %s to %s: %s", s.Reason, s.Target, s.Code)
		if s.Error != "" {
			text += " (" + s.Error + ")"
		}
		return text
	case trace.Refused:
		return "refused: " + s.Reason
	}
	return ""
}

// clock gives a time for people, in UTC.
func clock(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// are is count for a noun with its verb.
func are(n int, one, many string) string {
	if n == 0 {
		return "no " + many
	}
	return count(n, one, many)
}

// theyAre refers to n of something.
func theyAre(n int) string {
	if n == 1 {
		return "it is"
	}
	return "they are"
}

func socketsText(n int) string {
	if n == 1 {
		return "One socket"
	}
	return strconv.Itoa(n) + " sockets"
}

func period(s string) string {
	if s == "" {
		return "no reason was given."
	}
	return strings.TrimRight(s, ".") + "."
}

func quote(s string) string { return strconv.Quote(s) }

func clip(s string) string { return words.Clip(s, 100) }

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

func channels(all []string) string {
	if len(all) == 0 {
		return "an unknown channel"
	}
	return list(all)
}

// list names some.
func list(all []string) string {
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

// ending says how a connection ended.
func ending(c trace.Connection) string {
	switch {
	case c.Closed.IsZero():
		return ""
	case c.Code == 0:
		return "; the connection was lost without a word"
	case c.Reason == "":
		return fmt.Sprintf("; the connection was closed with %d", c.Code)
	}
	return fmt.Sprintf("; the connection was closed with %d, %s", c.Code, c.Reason)
}

func who(user string) string {
	if user == "" {
		return "somebody who was not signed in"
	}
	return "user " + user
}

func ruleText(rule, reason string) string {
	if rule == "" {
		return period(reason)
	}
	return fmt.Sprintf("the rule %q decided: %s", rule, period(reason))
}
