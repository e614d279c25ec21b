package service_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/examples/checkins/school"
)

const checkin = `{"student_id": 1, "mood": "Great", "energy": "Low", "stress": "Very High Stress", "feel_better": "Same", "comment": "a\nb \u00e4 <b>"}`

func TestACheckInIsAddedReadChangedAndDeleted(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		s.must(201, "POST", "/api/students", `{"name": "Ada"}`)
		made := s.must(201, "POST", "/api/checkins", checkin)
		want := map[string]any{"id": 1.0, "student_id": 1.0, "mood": "Great", "energy": "Low", "stress": "Very High Stress", "feel_better": "Same",
			"comment": "a\nb ä <b>", "created_at": "2026-03-28T22:30:00.000Z", "updated_at": "2026-03-28T22:30:00.000Z"}
		if !reflect.DeepEqual(made.body, want) || made.header.Get("Location") != "/api/checkins/1" {
			t.Errorf("created %v at %q", made.body, made.header.Get("Location"))
		}
		if read := s.must(200, "GET", "/api/checkins/1", ""); !reflect.DeepEqual(read.body, want) {
			t.Errorf("read %v", read.body)
		}
		s.set(s.clock().Add(time.Minute))
		want["mood"], want["comment"], want["updated_at"] = "Upset", nil, "2026-03-28T22:31:00.000Z"
		if changed := s.must(200, "PATCH", "/api/checkins/1", `{"mood": "Upset", "comment": null}`); !reflect.DeepEqual(changed.body, want) {
			t.Errorf("changed to %v", changed.body)
		}
		want["mood"], want["feel_better"] = "Okay", nil
		if put := s.must(200, "PUT", "/api/checkins/1", `{"student_id": 1, "mood": "Okay", "energy": "Low", "stress": "Very High Stress"}`); !reflect.DeepEqual(put.body, want) {
			t.Errorf("put %v", put.body)
		}
		s.must(201, "POST", "/api/checkin-sentiments", `{"checkin_id": 1, "sentiment": "negative"}`)
		s.must(204, "DELETE", "/api/checkins/1", "")
		for _, method := range []string{"GET", "DELETE"} {
			s.must(404, method, "/api/checkins/1", "")
		}
		s.must(404, "PATCH", "/api/checkins/1", `{"mood": "Upset"}`)
		s.must(404, "GET", "/api/checkin-sentiments/1", "") // goes with its check-in
	})
}

func TestEveryLevelIsTaken(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		s.must(201, "POST", "/api/students", `{"name": "Ada", "active": false}`)
		for field, levels := range map[string][]string{"mood": school.Moods(), "energy": school.Energies(), "stress": school.Stresses(), "feel_better": school.FeelBetter()} {
			for _, level := range levels {
				values := map[string]string{"mood": "Okay", "energy": "High", "stress": "No Stress", "feel_better": "No"}
				values[field] = level
				a := s.must(201, "POST", "/api/checkins", fmt.Sprintf(`{"student_id":1,"mood":%q,"energy":%q,"stress":%q,"feel_better":%q}`,
					values["mood"], values["energy"], values["stress"], values["feel_better"]))
				if a.body[field] != level {
					t.Errorf("%s %q became %v", field, level, a.body[field])
				}
			}
		}
		for _, severity := range school.Severities() {
			for _, status := range school.Statuses() {
				s.must(201, "POST", "/api/alerts", fmt.Sprintf(`{"student_id":1,"severity":%q,"status":%q,"reason":"x"}`, severity, status))
			}
		}
		for _, sentiment := range school.Sentiments() {
			s.must(201, "POST", "/api/journal-sentiments", fmt.Sprintf(`{"student_id":1,"sentiment":%q}`, sentiment))
			s.must(201, "POST", "/api/checkin-sentiments", fmt.Sprintf(`{"checkin_id":1,"sentiment":%q}`, sentiment))
		}
		if a := s.must(201, "POST", "/api/alerts", `{"student_id":1,"severity":"low","reason":"x"}`); a.body["status"] != "open" {
			t.Errorf("an alert begins as %v", a.body["status"])
		}
		s.must(201, "POST", "/api/form-downloads", `{"student_id":1,"form":"appointment"}`)
	})
}

func TestBadInputNamesEachField(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		s.must(201, "POST", "/api/students", `{"name": "Ada"}`)
		s.must(201, "POST", "/api/checkins", checkin)
		before := s.must(200, "GET", "/api/checkins", "").text
		long := strings.Repeat("ä", 2001)
		for _, c := range []struct {
			method, path, body string
			fields             map[string]string // to a part of what is said
		}{
			{"POST", "/api/checkins", `{}`, map[string]string{"student_id": "missing", "mood": "missing", "energy": "missing", "stress": "missing"}},
			{"POST", "/api/checkins", `{"student_id": 99, "mood": "Okay", "energy": "Low", "stress": "Moderate"}`, map[string]string{"student_id": "99"}},
			{"POST", "/api/checkins", `{"student_id": "1", "mood": "okay", "energy": null, "stress": 3, "feel_better": "Perhaps", "comment": "` + long + `"}`,
				map[string]string{"student_id": "id", "mood": "Awesome", "energy": "null", "stress": "text", "feel_better": "Yes, No, Same", "comment": "2000"}},
			{"POST", "/api/checkins", `{"student_id": 1.5, "mood": "Okay", "energy": "Low", "stress": "Moderate", "moood": 1, "Mood": "Bad"}`,
				map[string]string{"student_id": "whole", "moood": "no field", "Mood": "no field"}},
			{"POST", "/api/checkins", `{"student_id": -1, "mood": "Okay", "energy": "Low", "stress": "Moderate", "comment": "a\u0000b"}`, map[string]string{"student_id": "1", "comment": "control"}},
			{"POST", "/api/checkins", `{"student_id": 99999999999999999999, "mood": "Okay", "energy": "Low", "stress": "Moderate"}`, map[string]string{"student_id": "id"}},
			{"PUT", "/api/checkins/1", `{"mood": "Okay"}`, map[string]string{"student_id": "missing", "energy": "missing", "stress": "missing"}},
			{"PATCH", "/api/checkins/1", `{"student_id": 99}`, map[string]string{"student_id": "99"}},
			{"PATCH", "/api/checkins/1", `{"mood": "Fine", "id": 7}`, map[string]string{"mood": "one of", "id": "no field"}},
			{"PATCH", "/api/checkins/1", `{}`, map[string]string{"body": "empty"}},
			{"POST", "/api/students", `{"name": "  ", "active": 1}`, map[string]string{"name": "empty", "active": "true or false"}},
			{"POST", "/api/students", `{"name": "a\nb", "active": null}`, map[string]string{"name": "control", "active": "null"}},
			{"POST", "/api/alerts", `{"student_id": 1, "severity": "critical", "status": "closed", "reason": ""}`, map[string]string{"severity": "low", "status": "resolved", "reason": "empty"}},
			{"POST", "/api/journal-sentiments", `{"student_id": 1, "sentiment": "bad"}`, map[string]string{"sentiment": "negative"}},
			{"POST", "/api/checkin-sentiments", `{"checkin_id": 77, "sentiment": "neutral"}`, map[string]string{"checkin_id": "77"}},
			{"POST", "/api/form-downloads", `{"student_id": 1}`, map[string]string{"form": "missing"}},
			{"GET", "/api/checkins?limit=0&mood=nice&cursor=x&from=today&size=3", "", map[string]string{"limit": "200", "mood": "one of", "cursor": "none", "from": "time", "size": "unknown"}},
			{"GET", "/api/checkins?limit=201&student_id=x&limit=3&to=9999-12-31T23:59:59Z", "", map[string]string{"limit": "twice", "student_id": "id", "to": "time"}},
			{"GET", "/api/form-downloads?form=%ff", "", map[string]string{"form": "text"}},
			{"GET", "/api/checkins?mood=%zz", "", map[string]string{"query": "read"}},
		} {
			a := s.must(422, c.method, c.path, c.body)
			fields, _ := a.body["fields"].(map[string]any)
			for name, part := range c.fields {
				if said, _ := fields[name].(string); !strings.Contains(said, part) {
					t.Errorf("%s %s %.100s: %s %q, want %q", c.method, c.path, c.body, name, said, part)
				}
			}
			if len(fields) != len(c.fields) || a.body["code"] != "invalid" || a.body["error"] == "" {
				t.Errorf("%s %s %.100s: %s", c.method, c.path, c.body, a.text)
			}
		}
		if after := s.must(200, "GET", "/api/checkins", "").text; after != before {
			t.Errorf("bad requests made %s of %s", after, before)
		}
	})
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	s := open(t, "", nil)
	told := s.told.count()
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/api/checkins", `{"mood"`, 400, "bad_json"},
		{"POST", "/api/checkins", `[]`, 400, "bad_json"},
		{"POST", "/api/checkins", `null`, 400, "bad_json"},
		{"POST", "/api/checkins", `{} {}`, 400, "bad_json"},
		{"POST", "/api/checkins", `{"comment": "` + strings.Repeat("x", 16<<10) + `"}`, 413, "too_large"},
		{"POST", "/api/checkins", "", 415, "unsupported_media_type"},
		{"DELETE", "/api/checkins", "", 405, "method_not_allowed"},
		{"POST", "/docs", "{}", 405, "method_not_allowed"},
		{"GET", "/api/checkins/0", "", 404, "not_found"},
		{"GET", "/api/checkins/x", "", 404, "not_found"},
		{"GET", "/api/checkins/1/more", "", 404, "not_found"},
		{"GET", "/api/nothing", "", 404, "not_found"},
	} {
		if a := s.must(c.status, c.method, c.path, c.body); a.body["code"] != c.code || a.body["error"] == "" {
			t.Errorf("%s %s: %s", c.method, c.path, a.text)
		}
	}
	if a := s.send("DELETE", "/api/checkins", ""); a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	r := httptest.NewRequest("POST", "/api/students", strings.NewReader(`{"name": "Eve"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "https://elsewhere.test")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := s.do(r); a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another site's page got %d %v", a.status, a.header)
	}
	if s.told.count() > told+1 { // that of the start may still come
		t.Error("a refused request told Belfry of a change")
	}
}

func TestListsAreNarrowedAndPaged(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		begin := s.clock()
		for _, name := range []string{"Ada", "Ben"} {
			s.must(201, "POST", "/api/students", fmt.Sprintf(`{"name": %q, "active": %t}`, name, name == "Ada"))
		}
		const n = 25
		for i := range n {
			s.set(begin.Add(time.Duration(i/3) * time.Minute)) // several at one time
			s.must(201, "POST", "/api/checkins", fmt.Sprintf(`{"student_id":%d,"mood":%q,"energy":"Low","stress":"Moderate"}`, i%2+1, school.Moods()[i%3]))
		}
		ids := func(path string) (list []float64) {
			for cursor := ""; ; {
				a := s.must(200, "GET", path+cursor, "")
				for _, row := range a.body["data"].([]any) {
					list = append(list, row.(map[string]any)["id"].(float64))
				}
				next, more := a.body["next_cursor"].(string)
				if !more {
					return list
				}
				cursor = "&cursor=" + next
			}
		}
		check := func(path string, fits func(i int) bool) {
			t.Helper()
			var want []float64
			for i := n - 1; i >= 0; i-- {
				if fits(i) {
					want = append(want, float64(i+1))
				}
			}
			for _, size := range []string{"limit=1", "limit=4", "limit=25", "limit=200"} {
				if got := ids(path + size); !reflect.DeepEqual(got, want) {
					t.Errorf("%s%s: %v, want %v", path, size, got, want)
				}
			}
		}
		all := func(int) bool { return true }
		check("/api/checkins?", all)
		check("/api/checkins?student_id=2&", func(i int) bool { return i%2 == 1 })
		check("/api/checkins?mood=Great&student_id=1&energy=Low&stress=Moderate&", func(i int) bool { return i%3 == 1 && i%2 == 0 })
		at := func(minutes int) string { return begin.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
		check("/api/checkins?from="+at(2)+"&to="+at(5)+"&", func(i int) bool { return i >= 6 && i < 15 })
		if a := s.must(200, "GET", "/api/students?active=true", ""); len(a.body["data"].([]any)) != 1 {
			t.Errorf("active students: %s", a.text)
		}
		if a := s.must(200, "GET", "/api/checkins?feel_better=Yes", ""); len(a.body["data"].([]any)) != 0 || a.body["next_cursor"] != nil {
			t.Errorf("none fits: %s", a.text)
		}
	})
}
