package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing wrong with the settings.
type Fault struct {
	// Where is the place: "belfry.yaml:12:5", ".env:3", "environment", "flag",
	// or the file alone.
	Where string
	// Key is the setting as the operator typed it: "apps[0].limits",
	// "BELFRY_LISTEN", "--listen". It may be empty.
	Key string
	// Message says what is wrong and what to write instead. It holds no secret.
	Message string

	rank, line, column int // order in the list
}

// String gives "where: key: message".
func (f Fault) String() string {
	if f.Key == "" {
		return f.Where + ": " + f.Message
	}
	return f.Where + ": " + f.Key + ": " + f.Message
}

// Error is all that is wrong with the settings. Load returns no other kind.
type Error struct{ Faults []Fault }

// Error gives one fault a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// SourceKind says which layer a value came from.
type SourceKind string

// The layers, strongest first. Generated values are made by the server at its
// first start.
const (
	FromFlag        SourceKind = "flag"
	FromEnvironment SourceKind = "env"
	FromDotenv      SourceKind = ".env"
	FromFile        SourceKind = "file"
	FromDefault     SourceKind = "default"
	FromServer      SourceKind = "generated"
)

// Source is where a value came from.
type Source struct {
	Kind SourceKind
	// Name is the flag's or variable's; empty for the file.
	Name string
	// File, Line and Column are the place in a file, from 1.
	File         string
	Line, Column int
}

// String gives "flag --listen", "env BELFRY_LISTEN", ".env BELFRY_LISTEN",
// "belfry.yaml:12", "default" or "generated".
func (s Source) String() string {
	switch s.Kind {
	case FromFlag:
		return "flag --" + s.Name
	case FromEnvironment, FromDotenv:
		return string(s.Kind) + " " + s.Name
	case FromFile:
		return s.File + ":" + strconv.Itoa(s.Line)
	default:
		return string(s.Kind)
	}
}

// faults collects what is wrong.
type faults struct {
	list []Fault
	keys map[string]bool // paths that a fault was found at
}

// at adds a fault about the setting at path, whose value came from s. Where
// the value did not come from the file, the flag or variable is named instead
// of the path.
func (fs *faults) at(s Source, path, format string, args ...any) {
	f := Fault{Key: path, Message: fmt.Sprintf(format, args...), line: s.Line, column: s.Column}
	switch s.Kind {
	case FromFlag:
		f.Where, f.Key = "flag", "--"+s.Name
	case FromEnvironment:
		f.Where, f.Key, f.rank = "environment", s.Name, 1
	case FromDotenv:
		f.Where, f.Key, f.rank = fmt.Sprintf("%s:%d", s.File, s.Line), s.Name, 2
	case FromFile:
		f.Where, f.rank = s.File, 3
		if s.Line > 0 {
			f.Where = fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column)
		}
	default:
		f.Where = string(s.Kind)
	}
	fs.list = append(fs.list, f)
	if fs.keys == nil {
		fs.keys = map[string]bool{}
	}
	fs.keys[path] = true
}

// has reports whether a fault was found at path, so that what follows from it
// is not told too.
func (fs *faults) has(path string) bool { return fs.keys[path] }

// err gives the faults in reading order, nil when there is none.
func (fs *faults) err() error {
	if len(fs.list) == 0 {
		return nil
	}
	slices.SortStableFunc(fs.list, func(a, b Fault) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	return &Error{Faults: slices.Compact(fs.list)}
}
