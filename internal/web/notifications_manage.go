package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
)

// managerRoutes are those of managers.
func (d *notifications) managerRoutes(route func(method, path, scope string, f handler)) {
	const all, one, scope = "/api/notifications", "/api/notifications/{id}", identity.ScopeManageNotifications
	route("GET", all, scope, d.search)
	route("POST", all, scope, d.create)
	route("POST", all+"/preview", scope, d.preview)
	route("POST", all+"/check", scope, d.check)
	route("GET", all+"/stats", scope, d.stats)
	route("GET", one, scope, d.get)
	route("PATCH", one, scope, d.edit)
	route("DELETE", one, scope, d.remove)
	route("POST", one+"/send", scope, d.send)
	route("POST", one+"/schedule", scope, d.schedule)
	route("POST", one+"/cancel", scope, d.cancel)
	route("GET", one+"/stats", scope, d.statsOf)
}

// answerOne writes a notification with its revision as ETag.
func answerOne(w http.ResponseWriter, status int, n *notify.Notification, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("ETag", strconv.Quote(strconv.FormatInt(n.Revision, 10)))
	writeJSON(w, status, n)
	return nil
}

func (d *notifications) search(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	filter, err := filterOf(r.URL.Query())
	if err != nil {
		return err
	}
	page, err := d.notify.Search(r.Context(), filter)
	return answer(w, http.StatusOK, page, err)
}

func (d *notifications) create(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
	body, draft, _, err := readDraft(w, r, true)
	if err != nil {
		return err
	}
	by := notify.Person{ID: c.User.ID, Name: c.User.Name}
	made, replayed, err := d.notify.Create(r.Context(), by, draft, notify.Key{Name: r.Header.Get("Idempotency-Key"), Scope: owner(c), Content: body})
	if err != nil {
		return err
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", "/api/notifications/"+made.ID)
	return answerOne(w, http.StatusCreated, made, nil)
}

func (d *notifications) preview(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	draft, err := decodeTarget(body)
	if err != nil {
		return err
	}
	if len(draft.Faults) > 0 {
		return &notify.Invalid{Fields: draft.Faults}
	}
	if draft.Target == nil {
		draft.Target = &notify.Target{}
	}
	p, err := d.notify.Preview(r.Context(), *draft.Target)
	return answer(w, http.StatusOK, p, err)
}

// check judges what create would make, and keeps nothing: a form learns of all
// faults before it asks its reader to confirm a sending.
func (d *notifications) check(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	_, draft, _, err := readDraft(w, r, true)
	if err != nil {
		return err
	}
	return answerNothing(w, d.notify.Check(r.Context(), draft))
}

// readDraft reads the body of create, or else of edit, and gives it as it came too.
func readDraft(w http.ResponseWriter, r *http.Request, create bool) (body []byte, draft notify.Draft, revision int64, err error) {
	if body, err = readBody(w, r); err == nil {
		draft, revision, err = decodeDraft(body, create)
	}
	return body, draft, revision, err
}

// answerNothing answers with no content, unless there is an error.
func answerNothing(w http.ResponseWriter, err error) error {
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (d *notifications) get(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	n, err := d.notify.Get(r.Context(), r.PathValue("id"))
	return answerOne(w, http.StatusOK, n, err)
}

func (d *notifications) edit(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	_, draft, revision, err := readDraft(w, r, false)
	if err != nil {
		return err
	}
	if revision, err = revisionOf(r, revision); err != nil {
		return err
	}
	if revision == 0 {
		return invalid("revision", "it is missing: say which revision you have changed, with If-Match or here")
	}
	n, err := d.notify.Edit(r.Context(), r.PathValue("id"), revision, draft)
	return answerOne(w, http.StatusOK, n, err)
}

// revisionOf gives the revision of If-Match, else the body's, else 0.
func revisionOf(r *http.Request, inBody int64) (int64, error) {
	text := r.Header.Get("If-Match")
	if text == "" || text == "*" {
		return inBody, nil
	}
	revision, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(text, "W/"), `"`), 10, 64)
	if err != nil || revision < 1 {
		return 0, invalid("If-Match", "it must be a revision in quotes, as the ETag of an answer is")
	}
	return revision, nil
}

func (d *notifications) remove(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	revision, err := revisionOf(r, 0)
	if err != nil {
		return err
	}
	return answerNothing(w, d.notify.Delete(r.Context(), r.PathValue("id"), revision))
}

// step reads the body of a route that moves a notification on, which may be
// empty.
func (d *notifications) step(w http.ResponseWriter, r *http.Request) (at *time.Time, revision int64, err error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, 0, err
	}
	if len(body) > 0 {
		if at, revision, err = decodeStep(body); err != nil {
			return nil, 0, err
		}
	}
	revision, err = revisionOf(r, revision)
	return at, revision, err
}

func (d *notifications) send(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	_, revision, err := d.step(w, r)
	if err != nil {
		return err
	}
	n, err := d.notify.Send(r.Context(), r.PathValue("id"), revision)
	return answerOne(w, http.StatusOK, n, err)
}

func (d *notifications) schedule(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	at, revision, err := d.step(w, r)
	if err != nil {
		return err
	}
	if at == nil {
		at = &time.Time{}
	}
	n, err := d.notify.Schedule(r.Context(), r.PathValue("id"), revision, *at)
	return answerOne(w, http.StatusOK, n, err)
}

func (d *notifications) cancel(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	_, revision, err := d.step(w, r)
	if err != nil {
		return err
	}
	n, err := d.notify.Cancel(r.Context(), r.PathValue("id"), revision)
	return answerOne(w, http.StatusOK, n, err)
}

func (d *notifications) stats(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	days, err := number(r.URL.Query(), "days", 30)
	if err != nil {
		return err
	}
	zone, err := zoneOf(r.URL.Query().Get("zone"))
	if err != nil {
		return err
	}
	totals, err := d.notify.Statistics(r.Context(), days, zone)
	return answer(w, http.StatusOK, totals, err)
}

// zoneOf gives a time zone by its name, UTC without one.
func zoneOf(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || len(name) > 64 {
		return nil, invalid("zone", "write a time zone by its name, as in Europe/Berlin")
	}
	return zone, nil
}

func (d *notifications) statsOf(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	one, err := d.notify.StatisticsOf(r.Context(), r.PathValue("id"))
	return answer(w, http.StatusOK, one, err)
}
