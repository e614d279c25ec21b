package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// ChannelRule is one rule on who may listen.
type ChannelRule struct {
	// Channel's name without `private-`, `presence-` or `private-encrypted-`,
	// with parameters such as `orders.{orderId}`. A parameter matches one or more
	// characters but the dot; `private-cache-x` is `cache-x`.
	Name string `yaml:"name" kind:"pattern" required:"true" example:"\"orders.{orderId}\""`
	// Expression in CEL that is true for those who may listen, over `user.id`,
	// `user.name`, `user.roles`, `user.claims` and the parameters, which are
	// texts. `true` means any signed-in user.
	Allow string `yaml:"allow" kind:"expression" required:"true" example:"\"'staff' in user.roles && orderId != '0'\""`
	// Expression that gives what others see of a member of the presence channel.
	// The default is `{"id": user.id, "name": user.name}`.
	Member string `yaml:"member" kind:"expression" example:"'{\"name\": user.name, \"roles\": user.roles}'"`
}

// Authorization is what rules on channels do not say.
type Authorization struct {
	// Address of the application that decides on channels in the rules' stead,
	// such as Laravel's `/broadcasting/auth`. It gets the page's form, cookies,
	// `Authorization`, CSRF headers and `Origin`; 2xx is yes, 401 and 403 are no,
	// anything else counts as no answer. Belfry signs.
	URL string `yaml:"url" kind:"url" example:"https://app.example.com/broadcasting/auth"`
	// The same for signing a connection in, such as
	// `/broadcasting/user-auth`. Without it those who are signed in to Belfry may.
	UserURL string `yaml:"user_url" kind:"url" example:"https://app.example.com/broadcasting/user-auth"`
	// Questions a minute from one user or address; more get 429.
	PerMinute int `yaml:"per_minute" default:"60" kind:"quota"`
}

// ChannelsSet reports whether the file has a channels section. An empty list is
// one, and opens no channel at all.
func (c *Config) ChannelsSet() bool { return c.isSet("channels") }

// warnOfRules notes rules that nobody asks, and a list that opens nothing.
func (l *loader) warnOfRules() {
	c := l.config
	switch forwarded := c.Authorization.URL != ""; {
	case forwarded && len(c.Channels) > 0:
		l.warnf("%s: the rules of channels are not asked, since authorization.url decides", c.sources["channels"])
	case !forwarded && c.ChannelsSet() && len(c.Channels) == 0:
		l.warnf("%s: channels is empty, so nobody may listen to any private, presence or encrypted channel; remove it for the default rules", c.sources["channels"])
	}
}

// RuleFault is one thing wrong with a channel rule, as the compiler of rules
// found it.
type RuleFault struct {
	// Rule counts from 0; Key is name, allow or member.
	Rule int
	Key  string
	// Line and Column are the place in the value, from 1, in characters.
	Line, Column int
	Message      string
}

// RuleError puts the faults of channel rules to where they stand in the file.
// It gives an *Error, or nil when there are none.
func (c *Config) RuleError(list []RuleFault) error {
	var faults faults
	for _, f := range list {
		path := fmt.Sprintf("channels[%d].%s", f.Rule, f.Key)
		source, message := c.source(path), f.Message
		if s, ok := c.spots[path]; ok {
			source.Line, source.Column = s.at(f.Line, f.Column, source.Line, source.Column)
			if s.expanded { // what it quotes may be a secret
				message = "does not compile once its variables are put in; try it with the values written out"
			}
		}
		faults.at(source, path, "%s", message)
	}
	return faults.err()
}

// spots are the places in the file of a value's characters, but white space,
// which YAML folds and strips. Quotes, escapes and the indentation of blocks
// are accounted for by pairing the characters of both in their order.
type spots struct {
	text     []rune
	places   []spot
	expanded bool
}

type spot struct{ line, column int }

// spots pairs the characters of a scalar with their places.
func (n *node) spots() spots {
	s := spots{text: []rune(n.text), expanded: n.expanded}
	at := spot{n.line, n.column}
	origin := []rune(n.origin)
	if n.block {
		at = spot{n.line + 1, 1}
	} else {
		for len(origin) > 0 && unicode.IsSpace(origin[0]) {
			origin = origin[1:]
		}
	}
	quote := rune(0)
	if n.quoted && !n.block && len(origin) > 0 {
		quote, origin = origin[0], origin[1:]
		at.column++
	}
	for i := 0; i < len(origin); i++ {
		here, width := at, 1
		switch c := origin[i]; {
		case c == '\n':
			at = spot{at.line + 1, 1}
			continue
		case quote != 0 && c == quote && (quote == '"' || i+1 == len(origin) || origin[i+1] != quote):
			i = len(origin)
			continue
		case quote == '\'' && c == quote:
			width = 2
		case quote == '"' && c == '\\' && i+1 < len(origin):
			if origin[i+1] == '\n' { // the line goes on in the next
				at.column++
				continue
			}
			if width = escapeWidth(origin[i+1]); strings.ContainsRune("ntrvf \t\n_NLP", origin[i+1]) {
				here.line = 0 // stands for white space
			}
		}
		if !unicode.IsSpace(origin[i]) && here.line > 0 {
			s.places = append(s.places, here)
		}
		at.column += width
		i += width - 1
	}
	return s
}

// escapeWidth is how many characters an escape of a double-quoted text has.
func escapeWidth(kind rune) int {
	switch kind {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}

// at gives where the character at line and column of the value, from 1, stands
// in the file, or the place given when that cannot be told.
func (s spots) at(line, column, valueLine, valueColumn int) (int, int) {
	visible := len(slices.DeleteFunc(slices.Clone(s.text), unicode.IsSpace))
	if s.expanded || len(s.places) == 0 || visible != len(s.places) {
		return valueLine, valueColumn
	}
	before := 0
	for _, c := range s.text {
		if line <= 1 && column <= 1 {
			break
		}
		switch {
		case c == '\n':
			line--
			continue
		case line <= 1:
			column--
		}
		if !unicode.IsSpace(c) {
			before++
		}
	}
	if before == len(s.places) { // behind the end
		last := s.places[before-1]
		return last.line, last.column + 1
	}
	return s.places[before].line, s.places[before].column
}
