package dashboard

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/store"
)

// maxBytes bounds what one figure may give, maxSeries what is read for a series,
// most of which is summed up.
const (
	maxBytes  = 256 << 10
	maxSeries = 4 << 20
)

// value gives a figure's answer as the JSON that pages get. An error says what
// the answer should look like.
func (f *figure) value(t store.Table, p *plan, w Window) (json.RawMessage, error) {
	if len(t.Rows) > p.Rows {
		return nil, fmt.Errorf("it gives more than %d rows; aggregate in the SQL, or raise rows", p.Rows)
	}
	switch f.Kind {
	case KindNumber:
		return number(t)
	case KindSeries:
		return series(t, p, bucketOf(f.Bucket, w))
	}
	return objects(t)
}

// number gives the one value of a table of one row and column.
func number(t store.Table) (json.RawMessage, error) {
	if len(t.Columns) != 1 || len(t.Rows) != 1 {
		return nil, fmt.Errorf("a number is one row with one column, and the query gives %d with %d", len(t.Rows), len(t.Columns))
	}
	switch v := t.Rows[0][0].(type) {
	case nil:
		return json.RawMessage("null"), nil
	case int64, float64:
		return plain(v, "")
	case string:
		if n := strings.TrimSpace(v); isNumber(n) {
			return short(n), nil
		}
	}
	return nil, fmt.Errorf("a number is wanted, and the query gives another value")
}

// isNumber reports whether a text is a number in JSON's form.
func isNumber(s string) bool {
	return s != "" && s != "null" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// short leaves out the zeros that PostgreSQL writes at the end of a fraction.
func short(number string) json.RawMessage {
	if strings.Contains(number, ".") && !strings.ContainsAny(number, "eE") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return json.RawMessage(number)
}

// objects gives a list of one object for each row, their members in the order
// of the columns.
func objects(t store.Table) (json.RawMessage, error) {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		if slices.Contains(names[:i], c.Name) {
			return nil, fmt.Errorf("two columns are called %q; give them names of their own with AS", cut(c.Name, 80))
		}
		names[i] = c.Name
	}
	into := []byte{'['}
	for i, row := range t.Rows {
		if i > 0 {
			into = append(into, ',')
		}
		into = append(into, '{')
		for j, v := range row {
			if j > 0 {
				into = append(into, ',')
			}
			text, err := plain(v, t.Columns[j].Type)
			if err != nil {
				return nil, fmt.Errorf("column %q: %w", cut(names[j], 80), err)
			}
			into = append(append(append(into, quote(names[j])...), ':'), text...)
		}
		into = append(into, '}')
	}
	return append(into, ']'), nil
}

// plain gives one value of a database as JSON. Numbers that JSON cannot write
// are null; times are in UTC, dates stay dates.
func plain(v any, typ string) (json.RawMessage, error) {
	switch v := v.(type) {
	case nil:
		return json.RawMessage("null"), nil
	case bool, int64:
		return json.Marshal(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return json.RawMessage("null"), nil
		}
		return json.Marshal(v)
	case time.Time:
		if typ == "DATE" {
			return quote(v.Format(time.DateOnly)), nil
		}
		return quote(v.UTC().Format(time.RFC3339Nano)), nil
	case string:
		if typ == "NUMERIC" && isNumber(v) {
			return short(v), nil
		}
		return quote(v), nil
	case []byte:
		if (typ == "JSON" || typ == "JSONB") && json.Valid(v) {
			return v, nil
		}
		if utf8.Valid(v) {
			return quote(string(v)), nil
		}
		return nil, fmt.Errorf("it holds bytes that are no text; leave it out, or encode it in the SQL")
	}
	return nil, fmt.Errorf("it holds a %T, which pages cannot be given; convert it to a text in the SQL", v)
}

// quote writes a JSON text.
func quote(s string) json.RawMessage {
	text, _ := json.Marshal(s) // texts can be written
	return text
}

// point is one value of a series.
type point struct {
	Time   string  `json:"time"`
	Series string  `json:"series,omitempty"`
	Value  float64 `json:"value"`

	at time.Time
}

// series sums the values into buckets, in the order of time and then of name.
// Buckets without a value are left out.
func series(t store.Table, p *plan, bucket string) (json.RawMessage, error) {
	at, of, value := -1, -1, -1
	for i, c := range t.Columns {
		switch strings.ToLower(c.Name) {
		case "time":
			at = i
		case "series":
			of = i
		case "value":
			value = i
		default:
			at = len(t.Columns)
		}
	}
	if at < 0 || value < 0 || at == len(t.Columns) {
		names := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			names[i] = cut(c.Name, 40)
		}
		return nil, fmt.Errorf("a series has the columns time, value and perhaps series, and the query gives %s", strings.Join(names, ", "))
	}
	type key struct {
		at   int64
		name string
	}
	sums := map[key]*point{}
	for _, row := range t.Rows {
		when, err := momentOf(row[at], t.Columns[at].Type, p.zone)
		if err != nil {
			return nil, err
		}
		n, ok := floatOf(row[value])
		if !ok {
			return nil, fmt.Errorf("column value: a number is wanted")
		}
		name := ""
		if of >= 0 {
			name = nameOf(row[of])
		}
		start := bucketStart(bucket, when, p.zone, p.week)
		k := key{start.UnixMilli(), name}
		if sums[k] == nil {
			sums[k] = &point{Time: start.Format(time.RFC3339), Series: name, at: start}
		}
		sums[k].Value += n
	}
	points := make([]*point, 0, len(sums))
	for _, one := range sums {
		points = append(points, one)
	}
	slices.SortFunc(points, func(a, b *point) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.Series, b.Series)
	})
	return json.Marshal(points)
}

// nameOf gives the name of a series.
func nameOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return cut(strings.ToValidUTF8(string(v), "\uFFFD"), 200)
	}
	return cut(fmt.Sprint(v), 200)
}

// floatOf gives a number; none counts as 0.
func floatOf(v any) (float64, bool) {
	switch v := v.(type) {
	case nil:
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
	}
	return 0, false
}

// momentOf reads a time: the database's own type, a text, or a Unix time in
// seconds or, from 100,000,000,000 on, milliseconds. A date is the beginning of
// that day in the zone; a text without an offset is UTC.
func momentOf(v any, typ string, zone *time.Location) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		if typ == "DATE" {
			return dayStart(v.Year(), v.Month(), v.Day(), zone), nil
		}
		return v, nil
	case int64:
		if v > -100_000_000_000 && v < 100_000_000_000 {
			return time.Unix(v, 0), nil
		}
		return time.UnixMilli(v), nil
	case float64:
		if math.Abs(v) < 1e17 {
			return momentOf(int64(v), typ, zone)
		}
	case []byte:
		return momentOf(string(v), typ, zone)
	case string:
		if day, err := time.Parse(time.DateOnly, v); err == nil {
			return dayStart(day.Year(), day.Month(), day.Day(), zone), nil
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", time.DateTime + ".999999999", "2006-01-02 15:04", "2006-01-02T15:04"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("column time: a time is wanted, such as 2026-11-22T09:30:00Z")
}
