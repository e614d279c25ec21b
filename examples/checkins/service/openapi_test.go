package service_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// at walks into a JSON value.
func at(t *testing.T, value any, path ...string) any {
	t.Helper()
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok || object[name] == nil {
			t.Fatalf("the description has no %s", strings.Join(path, " "))
		}
		value = object[name]
	}
	return value
}

// The description is true: each path takes the methods that it lists and no
// others, and what it gives as an example is taken.
func TestDescription(t *testing.T) {
	s := open(t, "", nil)
	description := s.must(200, "GET", "/openapi.json", "").body
	paths := at(t, description, "paths").(map[string]any)
	if len(paths) != 6*2+1 {
		t.Errorf("%d paths", len(paths))
	}
	for path, operations := range paths {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			_, described := operations.(map[string]any)[strings.ToLower(method)]
			a := s.send(method, strings.Replace(path, "{id}", "1", 1), "")
			if taken := a.status != http.StatusMethodNotAllowed; taken != described {
				t.Errorf("%s %s: %d, described: %t", method, path, a.status, described)
			}
		}
	}
	schemas := at(t, description, "components", "schemas").(map[string]any)
	for _, name := range []string{"students", "checkins", "alerts", "journal_sentiments", "checkin_sentiments", "form_downloads"} {
		input := schemas[name+"_input"]
		var members []string
		for field, schema := range at(t, input, "properties").(map[string]any) {
			example := at(t, schema, "examples").([]any)[0]
			if text, is := example.(string); is {
				example = fmt.Sprintf("%q", text)
			}
			members = append(members, fmt.Sprintf("%q: %v", field, example))
		}
		made := s.must(201, "POST", "/api/"+strings.ReplaceAll(name, "_", "-"), "{"+strings.Join(members, ", ")+"}").body
		if got, want := slices.Sorted(maps.Keys(made)), slices.Sorted(maps.Keys(at(t, schemas[name], "properties").(map[string]any))); !slices.Equal(got, want) {
			t.Errorf("%s has %v, described %v", name, got, want)
		}
		for _, field := range at(t, input, "required").([]any) {
			left := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return strings.HasPrefix(m, fmt.Sprintf("%q", field)) })
			s.must(422, "POST", "/api/"+strings.ReplaceAll(name, "_", "-"), "{"+strings.Join(left, ", ")+"}")
		}
	}
}

func TestPageForPeople(t *testing.T) {
	s := open(t, "", nil)
	if a := s.must(303, "GET", "/", ""); a.header.Get("Location") != "/docs" {
		t.Errorf("/ leads to %q", a.header.Get("Location"))
	}
	page := s.must(200, "GET", "/docs", "")
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	for _, text := range []string{"Very High Stress", "/api/form-downloads", "feel_better", "next_cursor"} {
		if !strings.Contains(page.text, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	s.must(200, "GET", "/docs.css", "")
	if a := s.must(200, "GET", "/up", ""); a.body["status"] != "ok" {
		t.Error(a.text)
	}
}
