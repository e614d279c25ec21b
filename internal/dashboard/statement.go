package dashboard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// parameters are what a figure's SQL may name, each with the type that
// PostgreSQL is told of.
func parameters() map[string]string {
	return map[string]string{"start": "timestamptz", "end": "timestamptz", "start_ms": "bigint", "end_ms": "bigint", "timezone": "text", "range": "text"}
}

// statement is a figure's SQL, ready for one of the dialects.
type statement struct {
	text  string   // with $1::type, or ?1
	names []string // of the parameters, in the order of their numbers
	// refused says why it is never asked; empty when it may be.
	refused string
	unknown []string // parameters that there are not
}

// compile takes the operator's SQL apart as far as needed: it finds the
// parameters and whether it is one statement that reads.
func compile(text string, dialect store.Dialect) statement {
	s := scanner{text: text, dialect: dialect}
	out := statement{}
	var into strings.Builder
	ended := false
	for s.at < len(text) {
		begin := s.at
		kind := s.next()
		piece := text[begin:s.at]
		switch {
		case kind == pieceSpace:
			into.WriteString(piece)
			continue
		case kind == pieceEnd:
			ended = true
			continue
		case ended:
			out.refused = "it holds more than one statement; a figure is one SELECT"
		case kind == pieceParameter:
			into.WriteString(out.parameter(piece[1:], dialect))
			continue
		case kind == pieceWord && s.words == 1 && !slices.Contains([]string{"SELECT", "WITH", "VALUES"}, strings.ToUpper(piece)):
			out.refused = "it begins with " + strings.ToUpper(cut(piece, 20)) + "; a figure only reads, with SELECT, WITH or VALUES"
		case kind == pieceClose && s.depth < 0:
			out.refused = "it closes a parenthesis that it does not open"
		}
		into.WriteString(piece)
	}
	if s.words == 0 && out.refused == "" {
		out.refused = "it holds no statement"
	}
	if s.depth > 0 && out.refused == "" {
		out.refused = "it does not close a parenthesis"
	}
	if s.open != "" && out.refused == "" {
		out.refused = "it does not end " + s.open
	}
	out.text = strings.TrimSpace(into.String())
	return out
}

// parameter gives what stands for a parameter.
func (s *statement) parameter(name string, dialect store.Dialect) string {
	typ, known := parameters()[name]
	if !known {
		s.unknown = append(s.unknown, name)
		return "NULL"
	}
	number := slices.Index(s.names, name) + 1
	if number == 0 {
		s.names = append(s.names, name)
		number = len(s.names)
	}
	if dialect == store.Postgres {
		return "$" + strconv.Itoa(number) + "::" + typ
	}
	return "?" + strconv.Itoa(number)
}

// arguments gives the parameters' values. SQLite gets times as the texts that
// sort as they do, "2026-11-22T00:00:00.000Z".
func (s *statement) arguments(w Window, zone, rangeName string, dialect store.Dialect) []any {
	moment := func(t time.Time) any {
		if dialect == store.Postgres {
			return t.UTC()
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	args := make([]any, len(s.names))
	for i, name := range s.names {
		switch name {
		case "start":
			args[i] = moment(w.Start)
		case "end":
			args[i] = moment(w.End)
		case "start_ms":
			args[i] = w.Start.UnixMilli()
		case "end_ms":
			args[i] = w.End.UnixMilli()
		case "timezone":
			args[i] = zone
		case "range":
			args[i] = rangeName
		}
	}
	return args
}

type piece int

const (
	pieceOther piece = iota
	pieceSpace       // and comments
	pieceWord
	pieceParameter
	pieceClose
	pieceEnd // a semicolon
)

// scanner parts SQL as both databases read it, so far that texts, names and
// comments are never taken for anything else.
type scanner struct {
	text    string
	dialect store.Dialect
	at      int
	words   int    // so far
	depth   int    // of parentheses
	open    string // what does not end
}

func (s *scanner) rest() string { return s.text[s.at:] }

// next takes one piece.
func (s *scanner) next() piece {
	rest := s.rest()
	switch c := rest[0]; {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		s.at++
		return pieceSpace
	case strings.HasPrefix(rest, "--"):
		s.at += length(rest, strings.IndexByte(rest, '\n'))
		return pieceSpace
	case strings.HasPrefix(rest, "/*"):
		s.comment()
		return pieceSpace
	case c == '\'':
		s.quoted('\'', s.escapes(), "a text")
	case c == '"' || c == '`' && s.dialect == store.SQLite:
		s.quoted(c, false, "a quoted name")
	case c == '[' && s.dialect == store.SQLite:
		s.until("]", "a quoted name")
	case c == '$' && s.dialect == store.Postgres && s.dollar() != "":
		s.until(s.dollar(), "a text in dollars")
	case c == '@' && len(rest) > 1 && letter(rest[1]) && (s.at == 0 || s.text[s.at-1] != '@'):
		s.at += 1 + word(rest[1:])
		return pieceParameter
	case letter(c):
		s.at += word(rest)
		s.words++
		return pieceWord
	case c == '(':
		s.at++
		s.depth++
	case c == ')':
		s.at++
		s.depth--
		return pieceClose
	case c == ';':
		s.at++
		return pieceEnd
	default:
		s.at++
		if c >= '0' && c <= '9' {
			s.at += word(rest[1:])
		}
	}
	return pieceOther
}

// comment takes one of /* and */. PostgreSQL's may hold others.
func (s *scanner) comment() {
	deep := 0
	for s.at < len(s.text) {
		switch rest := s.rest(); {
		case strings.HasPrefix(rest, "/*") && (deep == 0 || s.dialect == store.Postgres):
			deep++
			s.at += 2
		case strings.HasPrefix(rest, "*/"):
			deep--
			s.at += 2
			if deep == 0 {
				return
			}
		default:
			s.at++
		}
	}
	s.open = "a comment"
}

// escapes reports whether the text that begins here knows backslashes: E'…'.
func (s *scanner) escapes() bool {
	return s.dialect == store.Postgres && s.at > 0 && (s.text[s.at-1] == 'E' || s.text[s.at-1] == 'e') && (s.at == 1 || !letter(s.text[s.at-2]))
}

// quoted takes a text or name, in which the quote stands for itself when doubled.
func (s *scanner) quoted(quote byte, escapes bool, what string) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch {
		case escapes && s.text[s.at] == '\\':
			s.at++
		case s.text[s.at] != quote:
		case s.at+1 < len(s.text) && s.text[s.at+1] == quote:
			s.at++
		default:
			s.at++
			return
		}
	}
	s.at, s.open = len(s.text), what
}

// until takes what begins here up to, and with, the next occurrence of end.
func (s *scanner) until(end, what string) {
	from := s.at + 1
	if strings.HasPrefix(s.rest(), end) {
		from = s.at + len(end)
	}
	i := strings.Index(s.text[from:], end)
	if i < 0 {
		s.at, s.open = len(s.text), what
		return
	}
	s.at = from + i + len(end)
}

// dollar gives the quote that begins here, $$ or $tag$, or nothing.
func (s *scanner) dollar() string {
	rest := s.rest()
	end := strings.IndexByte(rest[1:], '$')
	if end < 0 || s.at > 0 && letter(s.text[s.at-1]) {
		return ""
	}
	tag := rest[1 : 1+end]
	if tag != "" && (!letter(tag[0]) || word(tag) != len(tag)) {
		return ""
	}
	return rest[:end+2]
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// word counts the bytes of letters and digits at the beginning.
func word(s string) int {
	n := strings.IndexFunc(s, func(r rune) bool { return r < 0x80 && !letter(byte(r)) && (r < '0' || r > '9') })
	return length(s, n)
}

// length gives n, or all of s where n is not found.
func length(s string, n int) int {
	if n < 0 {
		return len(s)
	}
	return n
}

// cut shortens a text for people to so many bytes.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// unknownParameter is the fault of a misspelt parameter.
func unknownParameter(name string) string {
	return fmt.Sprintf("names @%s, which there is not; there are @start, @end, @start_ms, @end_ms, @timezone and @range", cut(name, 40))
}
