package dashboard_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func codeOf(s string) belfry.Code { return belfry.Code(s) }

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !condition(); {
		if time.Now().After(late) {
			t.Fatalf("it does not come that %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestAFileThatIsNotThereYetHeals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "shop.db")
	address := "sqlite://" + filepath.ToSlash(path)
	spec := dashboard.Spec{Name: "default", Database: address, Refresh: time.Second, Figures: []dashboard.FigureSpec{{Name: "n", Kind: "number", SQL: "SELECT count(*) FROM sales"}}}
	e := newEngine(t, []dashboard.Spec{spec}, func(cfg *dashboard.Config) { cfg.Now = time.Now })
	e.run(t)
	if v := e.current(t, "", ""); statOf(v.Stats, "n") != "null" || !v.Meta["n"].Stale {
		t.Errorf("%s %+v", v.Stats, v.Meta)
	}
	if f := e.Stats()[0].Figures[0]; f.Failing != dashboard.FailedUnreachable {
		t.Errorf("%+v", f)
	}
	if _, err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "shop.db") {
		t.Errorf("check: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made")
	}
	must(t, e.Changed("", "", "it comes"))
	openShop(t, address).stock(1, 2)
	if one := e.expect(t, 1); one.stat("n") != "2" || one.Reason != "it comes" || len(one.Meta) != 0 {
		t.Errorf("%+v", one)
	}
	if note, err := e.Check(t.Context()); err != nil || note != "" && !strings.Contains(note, "n") {
		t.Errorf("check: %q %v", note, err)
	}
}

func TestAServerThatIsAwayHeals(t *testing.T) {
	server := services.OwnPostgres(t)
	s := openShop(t, server.Database(t))
	s.stock(1, 2, 3)
	good := openShop(t, "sqlite://"+filepath.ToSlash(filepath.Join(t.TempDir(), "shop.db")))
	good.stock(4)
	figures := []dashboard.FigureSpec{{Name: "n", Kind: "number", SQL: "SELECT count(*) FROM sales"}}
	for range 20 { // an outage does not add up
		figures = append(figures, dashboard.FigureSpec{Name: "n" + strings.Repeat("n", len(figures)), Kind: "number", Compare: true, SQL: "SELECT 1"})
	}
	e := newEngine(t, []dashboard.Spec{{Name: "default", Database: s.address, Refresh: time.Second, Timeout: 5 * time.Second, Figures: figures},
		{Name: "other", Database: good.address, Refresh: time.Second, Figures: figures[:1]}}, func(cfg *dashboard.Config) { cfg.Now = time.Now })
	e.run(t)
	first := e.current(t, "", "")
	if statOf(first.Stats, "n") != "3" || len(first.Meta) != 0 {
		t.Fatalf("%s %+v", first.Stats, first.Meta)
	}
	server.Stop()
	must(t, e.Changed("", "", "while it is away"))
	must(t, e.Changed("other", "", "the others go on"))
	if one := e.expect(t, 1); one.Dashboard != "other" || one.stat("n") != "1" {
		t.Errorf("%+v", one)
	}
	eventually(t, "the figures are marked", func() bool {
		v := e.current(t, "", "")
		return statOf(v.Stats, "n") == "3" && len(v.Meta) == len(figures) && v.Meta["n"].AsOf != nil && v.Meta["n"].AsOf.Equal(first.Timestamp)
	})
	if _, err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "postgres 127.0.0.1") {
		t.Errorf("check: %v", err)
	}
	server.Start()
	eventually(t, "a sale is deleted", func() bool {
		_, err := s.db.Exec(t.Context(), "DELETE FROM sales WHERE price = 1")
		return err == nil
	})
	eventually(t, "the last change shows", func() bool {
		all := e.all()
		last := all[len(all)-1]
		return last.Dashboard == "default" && last.stat("n") == "2" && last.Reason == "while it is away" && len(last.Meta) == 0
	})
	if _, err := e.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

// A file that another program writes to, with and without WAL, and that nobody
// has open, is read without being changed.
func TestFilesOfOthersAreReadAndNotWritten(t *testing.T) {
	dir := t.TempDir()
	address := "sqlite://" + (&url.URL{Path: filepath.ToSlash(filepath.Join(dir, "a shop?.db"))}).EscapedPath()
	db, err := store.Open(store.Config{URL: address})
	must(t, err)
	s := &shop{t: t, address: address, dialect: store.SQLite, db: db}
	s.stock(1, 2)
	ask := func(when, want string) {
		t.Helper()
		if got, state := s.ask(t, s.one("number", "SELECT count(*) FROM sales")); got != want {
			t.Errorf("%s: %s %+v", when, got, state)
		}
	}
	ask("with WAL", "2")
	must(t, db.Close())
	ask("nobody has it open", "2")
	must(t, os.Chmod(filepath.Join(dir, "a shop?.db"), 0o400))
	ask("it may only be read", "2")
}

func TestReplace(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		s.stock(1, 2, 3)
		spec := s.one("number", "SELECT count(*) FROM sales")
		kept, gone := spec, spec
		kept.Name, gone.Name = "kept", "gone"
		e := newEngine(t, []dashboard.Spec{spec, kept, gone}, func(cfg *dashboard.Config) { cfg.Now = time.Now })
		stop := e.run(t)
		before := e.current(t, "kept", "")
		changed, added := spec, s.one("number", "SELECT sum(price) FROM sales")
		changed.Public, added.Name = true, "added"
		changed.Figures = append([]dashboard.FigureSpec{{Name: "names", Kind: "rows", Personal: true, SQL: "SELECT kind FROM sales"}}, spec.Figures...)
		set, err := dashboard.Compile([]dashboard.Spec{added, kept, changed})
		must(t, err)
		must(t, e.Replace(set))
		if after := e.current(t, "kept", ""); after.ID != before.ID {
			t.Error("what stays is computed again")
		}
		seen := map[string]told{}
		eventually(t, "pages are told", func() bool {
			for _, one := range e.all() {
				seen[one.Channel] = one
			}
			return len(seen) == 2
		})
		// The figure that names people is nowhere in the public one.
		one := seen["dashboard"]
		if one.Reason != "reload" || one.stat("figure") != "3" || one.stat("names") != "" || seen["private-dashboard.added"].stat("figure") != "6" {
			t.Errorf("%+v", seen)
		}
		if v := e.current(t, "", ""); len(v.Figures) != 1 || !v.Public || v.Channel != "dashboard" || strings.Contains(string(v.Stats), "names") {
			t.Errorf("%+v", v)
		}
		_, err = e.Current(t.Context(), "gone", "")
		wantCode(t, err, belfry.CodeNotFound)
		bad, err := dashboard.Compile([]dashboard.Spec{{Name: "default", Database: "postgres://%zz", Figures: spec.Figures}})
		must(t, err)
		if err := e.Replace(bad); err == nil || strings.Contains(err.Error(), "%zz") {
			t.Errorf("an address that cannot be read: %v", err)
		}
		if v := e.current(t, "", ""); statOf(v.Stats, "figure") != "3" {
			t.Errorf("after a refused reload: %s", v.Stats)
		}
		must(t, e.Replace(nil))
		if len(e.Names()) != 0 {
			t.Errorf("%v", e.Names())
		}
		stop()
		if err := e.Replace(set); err == nil {
			t.Error("replaced after the end")
		}
	})
}
