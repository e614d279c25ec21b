package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
)

// decoder puts nodes into structs, notes where each value came from, and
// collects what does not fit.
type decoder struct {
	file    string
	sources map[string]Source
	spots   map[string]spots // of expressions
	faults  *faults
}

func (d *decoder) source(n *node) Source {
	return Source{Kind: FromFile, File: d.file, Line: n.line, Column: n.column}
}

func (d *decoder) fault(n *node, path, format string, args ...any) {
	d.faults.at(d.source(n), path, format, args...)
}

// mapping puts the entries of n into the struct v.
func (d *decoder) mapping(n *node, v reflect.Value, fields []field, path string) {
	for _, e := range n.entries {
		below := join(path, e.key)
		i := 0
		for i < len(fields) && fields[i].key != e.key {
			i++
		}
		if i == len(fields) {
			d.fault(&node{line: e.line, column: e.column}, below, "%s", suggest(e.key, path, fields))
			continue
		}
		d.value(e.value, v.Field(fields[i].index), &fields[i], below)
	}
}

// value puts n into v. An empty node counts as not set.
func (d *decoder) value(n *node, v reflect.Value, f *field, path string) {
	switch {
	case n.kind == nullNode || n.kind == badNode:
	case f.section():
		v.Set(reflect.ValueOf(Section{root: n}))
		d.sources[path] = d.source(n)
	case f.list():
		d.list(n, v, f, path)
	case f.group():
		if n.kind != mapNode {
			d.fault(n, path, "wants a mapping with keys such as %s, and is %s", f.below[0].key, n.is())
			return
		}
		d.mapping(n, v, f.below, path)
	case v.Kind() == reflect.Map:
		d.texts(n, v, f, path)
	case v.Kind() == reflect.Slice && n.kind == listNode:
		d.sources[path] = d.source(n)
		d.items(n, v, f, path)
	case n.kind != scalarNode:
		d.fault(n, path, "wants %s, and is %s", f.wants(), n.is())
	default:
		d.scalar(n, v, f, path)
	}
}

// wants names what a setting holds, for a message.
func (f *field) wants() string {
	switch {
	case f.typ.Kind() == reflect.Slice:
		return "a list"
	case f.typ.Kind() == reflect.Bool:
		return "true or false"
	case strings.HasPrefix(f.kind, "size"):
		return "a size such as " + f.example()
	case f.min != "":
		return "a duration such as " + f.def
	case f.typ.Kind() != reflect.String:
		return "a whole number"
	default:
		return "one text"
	}
}

func (d *decoder) scalar(n *node, v reflect.Value, f *field, path string) {
	d.sources[path] = d.source(n)
	if f.kind == "expression" || f.kind == "pattern" {
		d.spots[path] = n.spots()
	}
	if n.text == "" {
		return
	}
	if n.quoted && !n.expanded && bare(f, n.text) {
		d.fault(n, path, "is text in quotes and wants %s; remove the quotes", f.wants())
		return
	}
	if v.Kind() == reflect.Bool && !n.expanded && (n.text == "0" || n.text == "1") {
		d.fault(n, path, "is a number and wants true or false")
		return
	}
	if err := f.set(v, n.text, n.expanded); err != nil {
		d.fault(n, path, "%s", err)
	}
}

// bare reports whether a value must stand without quotes: text is not a number
// and not a truth value.
func bare(f *field, text string) bool {
	switch f.typ.Kind() {
	case reflect.Bool:
		return true
	case reflect.Int, reflect.Int64:
		return f.min == "" && !strings.HasPrefix(f.kind, "size") && text != "unlimited"
	default:
		return false
	}
}

// items puts a list of single values into v.
func (d *decoder) items(n *node, v reflect.Value, f *field, path string) {
	one := *f
	one.typ = f.typ.Elem()
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case item.kind == badNode:
		case item.kind != scalarNode || item.text == "":
			d.fault(item, at, "wants one text, and is %s", item.is())
		case one.typ == reflect.TypeFor[netip.Prefix]():
			var ps []netip.Prefix
			if err := f.setPrefixes(&ps, item.text, item.expanded); err != nil {
				d.fault(item, at, "%s", err)
			}
			v.Set(reflect.AppendSlice(v, reflect.ValueOf(ps)))
		default:
			s := reflect.New(one.typ).Elem()
			if err := one.set(s, item.text, item.expanded); err != nil {
				d.fault(item, at, "%s", err)
			}
			v.Set(reflect.Append(v, s))
		}
	}
}

// texts puts a mapping of free names to texts into v.
func (d *decoder) texts(n *node, v reflect.Value, f *field, path string) {
	if n.kind != mapNode {
		d.fault(n, path, "wants a mapping of names to texts, and is %s", n.is())
		return
	}
	d.sources[path] = d.source(n)
	m := map[string]string{}
	for _, e := range n.entries {
		at := join(path, e.key)
		d.sources[at] = Source{Kind: FromFile, File: d.file, Line: e.line, Column: e.column}
		switch e.value.kind {
		case badNode:
		case scalarNode:
			m[e.key] = e.value.text
		default:
			d.fault(e.value, at, "wants one text, and is %s", e.value.is())
		}
	}
	v.Set(reflect.ValueOf(m))
}

// list puts a list of mappings into v.
func (d *decoder) list(n *node, v reflect.Value, f *field, path string) {
	if n.kind != listNode {
		d.fault(n, path, "wants a list, each entry beginning with a dash, and is %s", n.is())
		return
	}
	d.sources[path] = d.source(n)
	elem := f.typ.Elem()
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.sources[at] = d.source(item)
		s := reflect.New(elem).Elem()
		setDefaults(s, f.below)
		credential, isCredential := s.Addr().Interface().(*Credential)
		switch {
		case item.kind == mapNode:
			d.mapping(item, s, f.below, at)
			d.require(item, s, f.below, at)
		case item.kind == badNode:
		case item.kind == scalarNode && isCredential && item.text != "":
			credential.Secret = item.text
			d.sources[join(at, "secret")] = d.source(item)
		default:
			d.fault(item, at, "wants a mapping with keys such as %s, and is %s", f.below[0].key, item.is())
		}
		v.Set(reflect.Append(v, s))
	}
}

// require tells of keys that must be there and are not.
func (d *decoder) require(n *node, v reflect.Value, fields []field, path string) {
	for i := range fields {
		f := &fields[i]
		at := join(path, f.key)
		if f.required && v.Field(f.index).IsZero() && !d.faults.has(at) {
			d.fault(n, at, "is missing; write %s: and its value", f.key)
		}
	}
}

// setDefaults fills v with the defaults of its tags.
func setDefaults(v reflect.Value, fields []field) {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.group():
			setDefaults(v.Field(f.index), f.below)
		case f.def != "":
			if err := f.set(v.Field(f.index), f.def, false); err != nil {
				panic("config: default of " + f.key + ": " + err.Error()) // a mistake in a tag: no input leads here
			}
		}
	}
}
