package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dotenv is a .env file, read as Laravel reads it: values bare, in single or
// in double quotes, comments, "export", and ${NAME} of the environment or an
// earlier line. A dollar sign without a brace is a dollar sign, so that a
// secret stays what it is; a ${NAME} that is not set stays as it stands.
type dotenv struct {
	file   string
	values map[string]string
	lines  map[string]int
}

// readDotenv reads dir's .env; a missing one is empty.
func readDotenv(dir string, environ map[string]string, faults *faults) dotenv {
	d := dotenv{file: ".env", values: map[string]string{}, lines: map[string]int{}}
	text, err := os.ReadFile(filepath.Join(dir, d.file))
	if errors.Is(err, fs.ErrNotExist) {
		return d
	}
	if err != nil {
		faults.at(Source{Kind: FromFile, File: d.file}, "", "cannot be read: %s", cause(err))
		return d
	}
	d.parse(strings.TrimPrefix(string(text), "\ufeff"), environ, faults)
	return d
}

// cause gives an error of the file system without the path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func (d *dotenv) parse(text string, environ map[string]string, faults *faults) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for line := 1; text != ""; {
		head, rest, _ := strings.Cut(text, "\n")
		at := line
		line++
		trimmed := strings.TrimSpace(head)
		if trimmed == "" || trimmed[0] == '#' {
			text = rest
			continue
		}
		name, value, assigned := strings.Cut(trimmed, "=")
		name = strings.TrimSpace(strings.TrimPrefix(name, "export "))
		if !variableName(strings.ReplaceAll(name, ".", "_")) {
			faults.at(Source{Kind: FromDotenv, File: d.file, Line: at}, "", "is not NAME=value (the line is not shown, it may hold a secret)")
			text = rest
			continue
		}
		if !assigned {
			text = rest
			continue
		}
		value = strings.TrimLeft(value, " \t")
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			whole := value + "\n" + rest
			parsed, used, ok := quotedValue(whole)
			if !ok {
				faults.at(Source{Kind: FromDotenv, Name: name, File: d.file, Line: at}, name, "the quote is not closed")
				return
			}
			line += strings.Count(whole[:used], "\n")
			_, text, _ = strings.Cut(whole[used:], "\n")
			if value[0] == '"' {
				parsed = d.expand(parsed, environ)
			}
			d.put(name, unescapeDollar(parsed, value[0] == '"'), at)
			continue
		}
		text = rest
		if i := strings.Index(value, " #"); i >= 0 {
			value = value[:i]
		} else if strings.HasPrefix(value, "#") {
			value = ""
		}
		d.put(name, d.expand(strings.TrimSpace(value), environ), at)
	}
}

func (d *dotenv) put(name, value string, line int) {
	d.values[name], d.lines[name] = value, line
}

// escapedDollar stands for \$ until ${…} has been expanded.
const escapedDollar = "\x00"

func unescapeDollar(s string, double bool) string {
	if !double {
		return s
	}
	return strings.ReplaceAll(s, escapedDollar, "$")
}

// quotedValue reads a value in quotes at the start of s and tells how many
// bytes it took.
func quotedValue(s string) (value string, used int, ok bool) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(s) && (quote == '"' || s[i+1] == quote || s[i+1] == '\\'):
			i++
			switch e := s[i]; {
			case e == 'n' && quote == '"':
				b.WriteByte('\n')
			case e == 'r' && quote == '"':
				b.WriteByte('\r')
			case e == 't' && quote == '"':
				b.WriteByte('\t')
			case e == '$' && quote == '"':
				b.WriteString(escapedDollar)
			case e == quote || e == '\\':
				b.WriteByte(e)
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

func (d *dotenv) expand(s string, environ map[string]string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		name, rest, closed := strings.Cut(s[i+2:], "}")
		value, known := environ[name]
		if !known {
			value, known = d.values[name]
		}
		if !closed {
			break
		}
		b.WriteString(s[:i])
		if known {
			b.WriteString(value)
		} else {
			fmt.Fprintf(&b, "${%s}", name)
		}
		s = rest
	}
	b.WriteString(s)
	return b.String()
}
