package service_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/test/services"
)

func TestEachChangeIsTold(t *testing.T) {
	s := open(t, "", nil)
	s.told.await(t, 0, "check-in service started")
	for _, c := range []struct {
		status             int
		method, path, body string
		reason             string
	}{
		{201, "POST", "/api/students", `{"name": "Ada"}`, "student created"},
		{201, "POST", "/api/checkins", checkin, "check-in created"},
		{200, "PATCH", "/api/checkins/1", `{"mood": "Bad"}`, "check-in changed"},
		{200, "PUT", "/api/students/1", `{"name": "Ada L."}`, "student changed"},
		{201, "POST", "/api/alerts", `{"student_id": 1, "severity": "high", "reason": "x"}`, "alert created"},
		{201, "POST", "/api/journal-sentiments", `{"student_id": 1, "sentiment": "negative"}`, "journal sentiment created"},
		{201, "POST", "/api/checkin-sentiments", `{"checkin_id": 1, "sentiment": "negative"}`, "check-in sentiment created"},
		{201, "POST", "/api/form-downloads", `{"student_id": 1, "form": "a"}`, "form download created"},
		{204, "DELETE", "/api/students/1", "", "student deleted"},
	} {
		told := s.told.count()
		s.must(c.status, c.method, c.path, c.body)
		s.told.await(t, told, c.reason)
	}
}

// Belfry may be away: the phone does not notice, and Belfry is told later, also
// by the next process.
func TestAChangeOutlivesBelfrysAbsenceAndTheProcess(t *testing.T) {
	s := open(t, "", nil)
	s.told.await(t, 0, "check-in service started")
	s.must(201, "POST", "/api/students", `{"name": "Ada"}`)
	s.told.await(t, 1, "student created")
	s.told.setDown(true)
	s.must(201, "POST", "/api/checkins", checkin)
	s.told.setDown(false)
	s.told.await(t, 2, "check-in created")

	s.told.setDown(true)
	s.must(200, "PATCH", "/api/checkins/1", `{"mood": "Bad"}`)
	if err := s.service.Close(); err != nil {
		t.Fatal(err)
	}
	s.told.setDown(false)
	told := s.told.count()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	s.told.await(t, told, "check-in service started") // which stands for the change too
	if a := s.must(200, "GET", "/api/checkins/1", ""); a.body["mood"] != "Bad" {
		t.Errorf("after the restart: %s", a.text)
	}
}

// A database that is there already is taken up as it is; several starts at once
// do not meet.
func TestStartsOnOneDatabase(t *testing.T) {
	for name, address := range map[string]string{"sqlite": "sqlite://" + t.TempDir() + "/deep/file.db", "postgres": services.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			var sites [3]*site
			var failed [3]error
			var starts sync.WaitGroup
			for i := range sites {
				sites[i] = newSite(t, address, newReceiver())
				starts.Go(func() { failed[i] = sites[i].start() })
			}
			starts.Wait()
			if err := errors.Join(failed[:]...); err != nil {
				t.Fatal(err)
			}
			sites[0].must(201, "POST", "/api/students", `{"name": "Ada"}`)
			for _, other := range sites {
				other.must(200, "GET", "/api/students/1", "")
			}
		})
	}
}

func TestSeed(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		for range 2 { // the second adds nothing
			if err := s.service.Seed(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{"students", "checkins", "alerts", "journal-sentiments", "checkin-sentiments", "form-downloads"} {
			if a := s.must(200, "GET", "/api/"+path+"?limit=20", ""); len(a.body["data"].([]any)) != 20 {
				t.Errorf("%s: %s", path, a.text)
			}
		}
		if a := s.must(200, "GET", "/api/students?limit=61", ""); len(a.body["data"].([]any)) != 60 {
			t.Errorf("%d students", len(a.body["data"].([]any)))
		}
	})
}
