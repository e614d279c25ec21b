package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/trace"
)

// pages is what the pages of an event's receivers said of it.
type pages struct {
	event     string
	receivers []trace.Connection
	silent    int      // pages that said nothing
	without   []string // sockets whose pages have no handler for it
	failed    []string // sockets whose handlers for it failed
	names     []string // bound where the event came, by the pages without
	elsewhere string   // a channel where a page without has a handler for it
	other     []string // bound on other channels, by the pages without
	error     string   // the last that a handler failed with
}

// pages asks what the receivers' pages have handlers for.
func (c *inquiry) pages(t *trace.Timeline, receivers []trace.Connection) *pages {
	p := &pages{event: t.Event}
	for _, one := range receivers {
		if slices.ContainsFunc(p.receivers, func(before trace.Connection) bool { return before.Socket == one.Socket }) {
			continue
		}
		p.receivers = append(p.receivers, one)
		known, has, failure := false, false, ""
		var about []report.Page
		for _, channel := range t.Channels {
			at := moment(t, channel)
			if !slices.ContainsFunc(one.Subscriptions, func(s trace.Subscription) bool { return s.Channel == channel && s.At(at) }) {
				continue
			}
			page, said := c.now.Page(one.Socket, channel, at)
			known = known || said
			has = has || !said || page.Has(t.Event)
			about = append(about, page)
			for _, f := range page.Failures {
				if f.Event == t.Event {
					failure = f.Error
				}
			}
		}
		switch {
		case failure != "":
			p.failed, p.error = append(p.failed, one.Socket), failure
		case !known:
			p.silent++
		case !has:
			p.lacks(one.Socket, about)
		}
	}
	slices.Sort(p.names)
	p.names = slices.Compact(p.names)
	slices.Sort(p.other)
	p.other = slices.Compact(p.other)
	return p
}

// lacks adds a page without a handler.
func (p *pages) lacks(socket string, about []report.Page) {
	p.without = append(p.without, socket)
	for _, page := range about {
		p.names = append(p.names, page.Names...)
		for name, channel := range page.Elsewhere {
			p.other = append(p.other, name)
			if name == p.event && (p.elsewhere == "" || channel < p.elsewhere) {
				p.elsewhere = channel
			}
		}
	}
}

// verdict finds that all receivers got an event that none of them did anything
// with, as far as their pages say; nil when somebody did, or does not say.
func (p *pages) verdict() *Verdict {
	switch len(p.receivers) {
	case 0:
	case len(p.without):
		return p.otherName()
	case len(p.failed), len(p.failed) + len(p.without):
		v := &Verdict{Code: HandlerFailed, Connections: p.receivers,
			Sentence: fmt.Sprintf("%s got the event, and the page's handler for %q failed: %s", socketsText(len(p.failed)), p.event, period(p.error)),
			Fix:      "Mend the handler in the page; its browser's console has the error with its place."}
		if len(p.failed) > 1 {
			v.Sentence = fmt.Sprintf("%s got the event, and their pages' handlers for %q failed, the last with: %s", socketsText(len(p.failed)), p.event, period(p.error))
		}
		if len(p.without) > 0 {
			v.Evidence = append(v.Evidence, p.withoutText())
		}
		return v
	}
	return nil
}

func (p *pages) otherName() *Verdict {
	v := &Verdict{Code: OtherName, Near: nearEvents(p.event, p.names), Connections: p.receivers,
		Sentence: fmt.Sprintf("%s got the event, and none has a handler for %q", socketsText(len(p.without)), p.event),
		Fix:      "With Laravel Echo a name that is no class needs a leading dot: .listen('." + strings.TrimPrefix(p.event, ".") + "', …); check namespace and case too."}
	if len(p.names) == 0 {
		v.Evidence = append(v.Evidence, "Their pages have no handlers at all on that channel.")
	} else {
		v.Evidence = append(v.Evidence, "They have handlers for: "+list(p.names)+".")
	}
	if len(p.other) > 0 {
		v.Evidence = append(v.Evidence, "On other channels they have handlers for: "+list(p.other)+".")
	}
	switch {
	case p.elsewhere != "":
		v.Sentence += fmt.Sprintf(" there; it is bound on %s", p.elsewhere)
		v.Fix = "Bind the handler on the channel that the event is published on, or publish it on " + p.elsewhere + "."
	case len(v.Near) > 0:
		v.Sentence += "; the nearest that is bound is " + quote(v.Near[0])
	}
	v.Sentence += "."
	return v
}

func (p *pages) withoutText() string {
	if len(p.without) == 1 {
		return fmt.Sprintf("The page of socket %s has no handler for it.", p.without[0])
	}
	return fmt.Sprintf("The pages of %d sockets have no handler for it: %s.", len(p.without), list(p.without))
}

// evidence is what some of the pages said, where others did something with the
// event or said nothing.
func (p *pages) evidence() (lines []string) {
	if len(p.without) > 0 {
		line := p.withoutText()
		if near := nearEvents(p.event, p.names); len(near) > 0 {
			line += " The nearest that is bound is " + quote(near[0]) + "."
		}
		lines = append(lines, line)
	}
	if n := len(p.failed); n > 0 {
		lines = append(lines, fmt.Sprintf("The handlers of %s failed (%s): %s", count(n, "page", "pages"), list(p.failed), period(p.error)))
	}
	if said := len(p.without) + len(p.failed); said > 0 && p.silent > 0 {
		lines = append(lines, fmt.Sprintf("Of %s nothing is known: they do not report.", count(p.silent, "page", "pages")))
	}
	return lines
}
