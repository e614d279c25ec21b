package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of a configuration file, far above any real one.
const (
	maxFileSize = 4 << 20
	maxDepth    = 40
)

type nodeKind uint8

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
	badNode // a fault was told
)

// node is a piece of YAML, reduced to what settings need.
type node struct {
	kind         nodeKind
	line, column int
	text         string // of a scalar, as typed; quotes and escapes resolved
	quoted       bool   // the scalar stood in quotes
	expanded     bool   // the scalar held ${VAR}, so its text may be a secret
	origin       string // of a scalar, as it stands in the file, white space before it included
	block        bool   // the scalar stands in the lines below its | or >
	items        []*node
	entries      []entry
}

type entry struct {
	key          string
	line, column int
	value        *node
}

// is names the node's kind for a message.
func (n *node) is() string {
	switch n.kind {
	case scalarNode:
		return "a single value"
	case listNode:
		return "a list"
	case mapNode:
		return "a mapping"
	default:
		return "empty"
	}
}

// reader turns the text of one file into nodes.
type reader struct {
	file   string
	lookup func(name string) (string, bool)
	faults *faults
}

// read gives the root of the file's one document, nil for an empty one.
func (r *reader) read(text []byte) *node {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	switch {
	case len(text) > maxFileSize:
		r.fault(&node{}, "", "is larger than %d MB", maxFileSize>>20)
		return nil
	case !utf8.Valid(text):
		line := 1 + bytes.Count(text[:validPrefix(text)], []byte("\n"))
		r.fault(&node{line: line, column: 1}, "", "is not UTF-8; save it as UTF-8")
		return nil
	}
	file, err := parse(text)
	if err != nil {
		r.syntax(err, text)
		return nil
	}
	var root *node
	for _, doc := range file.Docs {
		if _, directive := doc.Body.(*ast.DirectiveNode); doc.Body == nil || directive {
			continue
		}
		n := place(doc.Body)
		if root != nil {
			r.fault(n, "", "a second document begins here; a configuration file holds one")
			break
		}
		root = r.node(doc.Body, "", 0)
	}
	return root
}

// parse calls the YAML parser, whose panics on odd input become errors.
func parse(text []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("unreadable")
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
}

func validPrefix(text []byte) int {
	n := 0
	for n < len(text) {
		c, size := utf8.DecodeRune(text[n:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// syntax tells where the file stops being YAML. The parser's own text shows
// source lines, so only its message is used, and only when it quotes nothing.
func (r *reader) syntax(err error, text []byte) {
	at, message := &node{}, "is not valid YAML"
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		if t := e.Token; t != nil && t.Position != nil {
			at.line, at.column = t.Position.Line, t.Position.Column
		}
		if m := strings.ReplaceAll(e.Message, "\t", `\t`); m != "" && !strings.ContainsAny(m, "\"`\n") && len(m) < 100 {
			message += ": " + m
		}
	}
	if flowExpansion(text, at.line) {
		message += `; inside {…} and […] write "${NAME}" in quotes`
	}
	r.fault(at, "", "%s", message)
}

// flowExpansion reports whether a line has an unquoted ${ inside { or [.
func flowExpansion(text []byte, line int) bool {
	lines := bytes.SplitN(text, []byte("\n"), line+1)
	if line < 1 || line > len(lines) {
		return false
	}
	l := lines[line-1]
	i := bytes.Index(l, []byte("${"))
	return i > 0 && bytes.ContainsAny(l[:i], "{[") && l[i-1] != '"' && l[i-1] != '\''
}

func (r *reader) fault(n *node, path, format string, args ...any) {
	r.faults.at(Source{Kind: FromFile, File: r.file, Line: n.line, Column: n.column}, path, format, args...)
}

// place gives an empty node at n's position.
func place(n ast.Node) *node {
	p := &node{}
	switch n := n.(type) {
	case *ast.MappingNode: // its token is the first colon: the first key says more
		if !n.IsFlowStyle && len(n.Values) > 0 && n.Values[0] != nil && n.Values[0].Key != nil {
			return place(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		if n.Key != nil {
			return place(n.Key)
		}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.line, p.column = t.Position.Line, t.Position.Column
	}
	return p
}

// node reduces n, which stands at path.
func (r *reader) node(n ast.Node, path string, depth int) *node {
	if n == nil {
		return &node{}
	}
	out := place(n)
	bad := func(message string) *node {
		r.fault(out, path, "%s", message)
		out.kind = badNode
		return out
	}
	if depth > maxDepth {
		return bad("is nested too deeply")
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return out
	case *ast.StringNode:
		out.text = n.Value
		out.quoted = strings.Contains(n.Token.Type.String(), "Quote")
		out.origin = n.Token.Origin
		return r.scalar(out, path)
	case *ast.LiteralNode:
		out.quoted = true
		out.block = true
		if n.Value != nil {
			out.text = n.Value.Value
			if t := n.Value.Token; t != nil {
				out.origin = t.Origin
			}
		}
		return r.scalar(out, path)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.text, out.origin = n.GetToken().Value, n.GetToken().Origin
		return r.scalar(out, path)
	case *ast.SequenceNode:
		out.kind = listNode
		for i, item := range n.Values {
			out.items = append(out.items, r.node(item, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return out
	case *ast.MappingNode:
		out.kind = mapNode
		r.entries(out, n.Values, path, depth)
		return out
	case *ast.MappingValueNode:
		out.kind = mapNode
		r.entries(out, []*ast.MappingValueNode{n}, path, depth)
		return out
	case *ast.AnchorNode, *ast.AliasNode:
		return bad("anchors (&) and aliases (*) are not read here; write the value out, or in quotes if the character belongs to it")
	case *ast.TagNode:
		return bad("tags (!) are not read here; remove it, or write the value in quotes if it belongs to it")
	default:
		return bad("this kind of YAML is not read here; write a value, a list or a mapping")
	}
}

func (r *reader) entries(out *node, values []*ast.MappingValueNode, path string, depth int) {
	first := map[string]int{}
	for _, v := range values {
		if v == nil || v.Key == nil {
			continue
		}
		at := place(v.Key)
		key, ok := keyText(v.Key)
		if !ok {
			r.fault(at, path, "this kind of key is not read here; write a plain name")
			continue
		}
		below := join(path, key)
		if line, twice := first[key]; twice {
			r.fault(at, below, "stands twice, first in line %d; keep one", line)
			continue
		}
		first[key] = at.line
		out.entries = append(out.entries, entry{key, at.line, at.column, r.node(v.Value, below, depth+1)})
	}
}

// keyText gives the text of a mapping's key; merge keys and keys that are no
// scalars have none.
func keyText(n ast.MapKeyNode) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

func (r *reader) scalar(n *node, path string) *node {
	n.kind = scalarNode
	text, expanded, problems := expand(n.text, r.lookup)
	for _, p := range problems {
		r.fault(n, path, "%s", p)
	}
	if len(problems) > 0 {
		n.kind = badNode
		return n
	}
	n.text, n.expanded = text, expanded
	return n
}

// join appends a key to a path. A key that does not look like one is not
// shown: it may be a value in the wrong place.
func join(path, key string) string {
	if !keyLike(key) {
		key = "(…)"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func keyLike(key string) bool {
	return len(key) <= 40 && variableName(strings.NewReplacer("-", "_", ".", "_").Replace(key))
}
