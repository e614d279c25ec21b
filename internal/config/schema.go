package config

import (
	"reflect"
	"strings"
	"unicode"
)

// field is one key of the file, as the tags of its struct field describe it.
type field struct {
	key      string // yaml tag
	index    int
	typ      reflect.Type
	env      []string
	flag     string
	def      string
	sample   string // example tag
	kind     string // first word of the kind tag
	choices  []string
	min, max string
	secret   bool
	required bool
	live     bool
	later    string
	below    []field // of a struct, or of the structs in a list
}

// list reports whether the key holds a list of mappings.
func (f *field) list() bool { return f.typ.Kind() == reflect.Slice && f.below != nil }

// group reports whether the key holds one mapping of known keys.
func (f *field) group() bool { return f.typ.Kind() == reflect.Struct && f.below != nil }

// section reports whether the key belongs to a later part of the program.
func (f *field) section() bool { return f.typ == reflect.TypeFor[Section]() }

// fieldsOf describes the keys of struct type t.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		key := sf.Tag.Get("yaml")
		if key == "" {
			continue
		}
		f := field{
			key: key, index: i, typ: sf.Type,
			flag: sf.Tag.Get("flag"), def: sf.Tag.Get("default"),
			sample: sf.Tag.Get("example"),
			min:    sf.Tag.Get("min"), max: sf.Tag.Get("max"),
			secret: sf.Tag.Get("secret") != "", required: sf.Tag.Get("required") != "",
			live: sf.Tag.Get("live") != "", later: sf.Tag.Get("later"),
		}
		if names := sf.Tag.Get("env"); names != "" {
			f.env = strings.Split(names, ",")
		}
		if words := strings.Fields(sf.Tag.Get("kind")); len(words) > 0 {
			f.kind, f.choices = words[0], words[1:]
		}
		elem := sf.Type
		if elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct && elem.PkgPath() == t.PkgPath() && !f.section() {
			f.below = fieldsOf(elem)
		}
		fields = append(fields, f)
	}
	return fields
}

// schema describes the whole file.
func schema() []field { return fieldsOf(reflect.TypeFor[Config]()) }

// eachSingle calls visit for each setting that is not inside a list, with its
// path and value.
func eachSingle(fields []field, v reflect.Value, path string, visit func(f *field, path string, v reflect.Value)) {
	for i := range fields {
		f := &fields[i]
		below := join(path, f.key)
		if f.group() {
			eachSingle(f.below, v.Field(f.index), below, visit)
			continue
		}
		visit(f, below, v.Field(f.index))
	}
}

// suggest says what an unknown key at path may have been meant as.
func suggest(key, path string, known []field) string {
	best, far := "", 1+max(2, len(key)/3)
	for i := range known {
		if d := distance(fold(key), fold(known[i].key)); d < far {
			best, far = known[i].key, d
		}
	}
	if best != "" {
		return `unknown key; did you mean "` + best + `"?`
	}
	if place := placeOf(key, schema(), ""); place != "" && keyLike(key) {
		return `unknown key here; "` + key + `" belongs under ` + place
	}
	names := make([]string, len(known))
	for i := range known {
		names[i] = known[i].key
	}
	return "unknown key; known here are " + strings.Join(names, ", ")
}

// placeOf finds where in the file a key is known.
func placeOf(key string, fields []field, path string) string {
	for i := range fields {
		f := &fields[i]
		if f.key == key {
			if path == "" {
				return "the top level"
			}
			return path
		}
		below := join(path, f.key)
		if f.list() {
			below += "[]"
		}
		if place := placeOf(key, f.below, below); place != "" {
			return place
		}
	}
	return ""
}

// nearest gives the name next to name, empty when none is near.
func nearest(name string, known []string) string {
	best, far := "", 1+max(1, len(name)/4)
	for _, k := range known {
		if d := distance(fold(name), fold(k)); d < far {
			best, far = k, d
		}
	}
	return best
}

// fold drops what spellings of one name differ in.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// distance counts the letters to insert, delete, replace or swap between a and
// b. Long names are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
