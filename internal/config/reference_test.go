package config

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
)

// The reference and the sample file are made from the structs: keys, variables
// and defaults from the tags, the texts from the fields' comments.

var update = flag.Bool("update", false, "write the reference and the sample file anew")

func TestReference(t *testing.T) {
	w := writer{docs: comments(t)}
	w.reference()
	same(t, filepath.Join("..", "..", "docs", "reference", "config.md"), w.Bytes())
	w.Reset()
	w.sample()
	same(t, filepath.Join("..", "..", "belfry.example.yaml"), w.Bytes())
}

func same(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the settings say; run go generate ./internal/config (%v)", path, err)
	}
}

// TestSampleFileIsRead reads the sample as it is, which changes nothing, and
// with every key put into force, which must bring no unknown key and no value
// of the wrong kind.
func TestSampleFileIsRead(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "belfry.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	read := func(text []byte) (*Config, error) {
		if err := os.WriteFile(filepath.Join(dir, DefaultFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(Options{Dir: dir, Environ: []string{"ANALYTICS_SECRET=a", "OLD_SECRET=b", "MY_SECRET=c", "WEBHOOK_SECRET=d", "REDIS_PASSWORD=e", "MASTER_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}})
	}
	c, err := read(text)
	if err != nil || len(c.Apps()) != 0 {
		t.Fatalf("as it is: %v", err)
	}
	var whole bytes.Buffer
	keys := 0
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("##")) || !bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		keys++
		whole.Write(line[1:])
	}
	_, err = read(whole.Bytes())
	if err == nil || !strings.HasSuffix(err.Error(), "keep cert_file and key_file, or auto") || strings.Contains(err.Error(), "\n") {
		t.Errorf("with every key: %v", err)
	}
	if want := count(schema()); keys != want {
		t.Errorf("the sample has %d keys, the structs %d", keys, want)
	}
}

func count(fields []field) int {
	n := len(fields)
	for i := range fields {
		n += count(fields[i].below)
	}
	return n - omitted(fields)
}

// omitted counts the keys that the sample leaves out: those of a credential,
// which is shown as a text.
func omitted(fields []field) int {
	n := 0
	for i := range fields {
		if fields[i].key == "secrets" {
			n += len(fields[i].below)
		}
	}
	return n
}

// TestDefaultsOfLimits holds the tags to the vocabulary's defaults.
func TestDefaultsOfLimits(t *testing.T) {
	var l Limits
	setDefaults(reflect.ValueOf(&l).Elem(), fieldsOf(reflect.TypeFor[Limits]()))
	if belfry.Limits(l) != belfry.DefaultLimits() {
		t.Errorf("tags say %+v", l)
	}
}

// comments gives the text of each field of the package's structs, by
// "Type.key".
func comments(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range s.Fields.List {
				if f.Tag == nil {
					continue
				}
				key := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("yaml")
				if key == "" {
					continue
				}
				text := strings.Join(strings.Fields(f.Doc.Text()), " ")
				if text == "" {
					t.Errorf("%s.%s has no comment", spec.Name, key)
				}
				docs[spec.Name.Name+"."+key] = text
			}
			return true
		})
	}
	return docs
}

type writer struct {
	bytes.Buffer
	docs map[string]string
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *writer) doc(owner reflect.Type, f *field) string { return w.docs[owner.Name()+"."+f.key] }

const preamble = `# Configuration

<!-- Made by go generate ./internal/config from the comments there. -->

A setting comes from the first of these that has it:

1. a flag of the command line,
2. the environment,
3. the file ` + "`.env`" + ` in the working directory,
4. the configuration file: ` + "`--config FILE`, else `BELFRY_CONFIG`, else `belfry.yaml`" + ` in the working directory if there is one,
5. the default.

An empty variable counts as not set. ` + "`belfry config`" + ` shows each setting in force and where it came from, ` + "`belfry config check`" + ` reads everything and starts nothing, ` + "`belfry config diff`" + ` shows what a reload would change.

All faults are told at once, with file, line, column and key. A key that is not known, a value of the wrong type, a key that stands twice, a second document, and a variable that is not set are faults. No fault shows a line of the file, which may hold a secret.

## Values

| kind | written |
| --- | --- |
| text | as it is; ` + "`id: 0123`" + ` stays ` + "`0123`" + `. In ` + "`{…}` and `[…]`" + ` put ` + "`\"${NAME}\"`" + ` in quotes |
| true or false | ` + "`true`, `false`" + `, without quotes |
| duration | ` + "`500ms`, `30s`, `10m`, `1h30m`" + ` |
| size | ` + "`1B`, `10KB`, `1MB`, `1GB`" + `; a KB is 1024 bytes |
| limit | a whole number or a size; ` + "`0`" + ` turns the feature off, ` + "`-1` or `unlimited`" + ` lifts the limit; not written at all, the default holds |
| list | ` + "`[a, b]`" + `, a line with a dash each, or one text with commas; in a variable, with commas |

` + "`${NAME}` and `${NAME:-default}`" + ` inside a value are replaced by variables of the environment or of ` + "`.env`" + `, after the file has been parsed, so that a variable can never add a key. ` + "`$${`" + ` stands for the characters themselves. Anchors, aliases and tags of YAML are not read.

` + "`.env`" + ` is read as Laravel reads it. A dollar sign without a brace is only a dollar sign.

## The default app

It is the app of ` + "`PUSHER_APP_*`" + `, else the first under ` + "`apps`" + `, else one that the first start generates. Id, key and secret must come from one family of names. With ` + "`BROADCAST_CONNECTION=reverb`" + ` the ` + "`REVERB_APP_*`" + ` names come before ` + "`PUSHER_APP_*`" + `. Where ` + "`PUSHER_APP_ID`" + ` is also the id of an app in the file, key and secret must be the same there, and the file's settings hold.

The server refuses to start with a secret from public examples, or one equal to its key, on an address that others can reach.

## Reload

A reload (SIGHUP, ` + "`belfry config reload`" + `) takes up changes of ` + "`apps`" + `, of the default app's credentials, of ` + "`channels`, `dashboards` and `webhook_shared_secret`" + ` without dropping a connection. The rest needs a restart. A file with faults changes nothing.
`

func (w *writer) reference() {
	w.WriteString(preamble)
	w.line("\n## Variables and flags\n")
	w.line("Every one of them has a key in the file too; *later* marks what is read and checked, but used by a part that this version does not have.\n")
	w.line("| variable | flag | key | default | meaning |")
	w.line("| --- | --- | --- | --- | --- |")
	w.line("| `BELFRY_CONFIG` | `--config` | | `belfry.yaml` | The configuration file. |")
	w.variables(reflect.TypeFor[Config](), schema(), "")
	w.line("\n## Keys of the file")
	w.group(reflect.TypeFor[Config](), schema(), "", "The top level", "")
}

func (w *writer) variables(owner reflect.Type, fields []field, path string) {
	for i := range fields {
		f := &fields[i]
		at := join(path, f.key)
		if f.group() {
			w.variables(f.typ, f.below, at)
			continue
		}
		if len(f.env) == 0 {
			continue
		}
		option := ""
		if f.flag != "" {
			option = "`--" + f.flag + "`"
		}
		w.line("| `%s` | %s | `%s` | %s | %s |", strings.Join(f.env, "`, `"), option, at, f.shownDefault(), w.meaning(owner, f))
	}
}

func (w *writer) meaning(owner reflect.Type, f *field) string {
	text := w.doc(owner, f)
	if f.required {
		text += " Required."
	}
	if f.min != "" {
		text += fmt.Sprintf(" From `%s` to `%s`.", f.min, f.max)
	}
	if f.later != "" {
		text += " *Later: " + f.later + ".*"
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

func (f *field) shownDefault() string {
	if f.def == "" {
		return ""
	}
	return "`" + f.def + "`"
}

// group writes the table of one group and then those below it.
func (w *writer) group(owner reflect.Type, fields []field, path, title, text string) {
	w.line("\n### %s\n", title)
	if text != "" {
		w.line("%s\n", text)
	}
	w.line("| key | default | meaning |")
	w.line("| --- | --- | --- |")
	for i := range fields {
		f := &fields[i]
		meaning := w.meaning(owner, f)
		if f.below != nil {
			meaning = "See below."
		}
		w.line("| `%s` | %s | %s |", f.key, f.shownDefault(), meaning)
	}
	for i := range fields {
		f := &fields[i]
		if f.below == nil {
			continue
		}
		at, elem := join(path, f.key), f.typ
		if f.list() {
			at, elem = at+"[]", f.typ.Elem()
		}
		if path != "" {
			at = path + "." + strings.TrimPrefix(at, path+".")
		}
		w.group(elem, f.below, at, "`"+strings.ReplaceAll(at, "(…)", "")+"`", w.doc(owner, f))
	}
}

func (w *writer) sample() {
	w.line("## A sample of belfry.yaml with every key; made by go generate ./internal/config.")
	w.line("## Lines with ## are comments, lines with # are keys with their default or an")
	w.line("## example. Remove the # of what you want to change, and of the lines it belongs")
	w.line("## under. Write secrets as ${NAME} and keep them in the environment.")
	w.keys(reflect.TypeFor[Config](), schema(), "", "")
}

// keys writes the keys of a group, lead before the first one and indent before
// the others.
func (w *writer) keys(owner reflect.Type, fields []field, indent, lead string) {
	for i := range fields {
		f := &fields[i]
		text := strings.ReplaceAll(w.doc(owner, f), "`", "")
		if f.later != "" {
			text += " Later: " + f.later + "."
		}
		if i > 0 && indent == "" || lead == "" && indent == "" {
			w.line("")
		}
		w.comment(indent, text)
		begin := indent
		if i == 0 && lead != "" {
			begin = lead
		}
		switch {
		case f.below == nil || f.key == "secrets":
			w.line("%s", strings.TrimRight(fmt.Sprintf("#%s%s: %s", begin, f.key, f.sampleValue()), " "))
		case f.list():
			w.line("#%s%s:", begin, f.key)
			w.keys(f.typ.Elem(), f.below, indent+"    ", indent+"  - ")
		default:
			w.line("#%s%s:", begin, f.key)
			w.keys(f.typ, f.below, indent+"  ", "")
		}
	}
}

func (w *writer) comment(indent, text string) {
	line := "##" + indent
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 80 {
			w.line("%s", line)
			line = "##" + indent
		}
		line += " " + word
	}
	w.line("%s", line)
}

func (f *field) sampleValue() string {
	value := cmp.Or(f.def, f.sample)
	if f.typ.Kind() == reflect.String && value != "" && (value[0] == ':' || value == "off" || value == "null") {
		return `"` + value + `"`
	}
	return value
}
