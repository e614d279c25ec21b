package web

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

// Bounds of a search among users.
const (
	maxSearchText = 100 // characters
	maxSearchIDs  = 100
	maxFound      = 50
)

// FoundUser is a user as managers pick them.
type FoundUser struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// FoundUsers is the answer to a search among users.
type FoundUsers struct {
	Users []FoundUser `json:"users"`
	More  bool        `json:"more"` // there are others
}

// manager gives the caller if they may manage notifications.
func (p people) manager(r *http.Request) (gate.Caller, error) {
	c, err := p.gate.Caller(r)
	if err == nil {
		err = c.Require(identity.ScopeManageNotifications)
	}
	return c, err
}

// users lets managers find whom to address, by q, part of a name or an email,
// or by ids.
func (p people) users(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	c, err := p.manager(r)
	if err != nil {
		return c, err
	}
	query := r.URL.Query()
	search := identity.Search{Text: query.Get("q"), Limit: 20}
	if utf8.RuneCountInString(search.Text) > maxSearchText || !utf8.ValidString(search.Text) || strings.ContainsRune(search.Text, 0) {
		return c, belfry.Errorf(belfry.CodeInvalid, "q: write up to %d characters", maxSearchText)
	}
	if ids := query.Get("ids"); ids != "" {
		search.IDs, search.Limit = strings.Split(ids, ","), maxSearchIDs
		if len(search.IDs) > maxSearchIDs {
			return c, belfry.Errorf(belfry.CodeInvalid, "ids: name up to %d", maxSearchIDs)
		}
	}
	if query.Get("limit") != "" {
		limit, err := number(query, "limit", 0)
		if err != nil || limit > maxFound {
			return c, belfry.Errorf(belfry.CodeInvalid, "limit: write a whole number from 1 to %d", maxFound)
		}
		search.Limit = limit
	}
	found, more, err := p.identity.Find(r.Context(), search)
	if err != nil {
		return c, err
	}
	answer := FoundUsers{Users: make([]FoundUser, 0, len(found)), More: more}
	for _, u := range found {
		answer.Users = append(answer.Users, FoundUser{u.ID, u.Name, u.Email})
	}
	writeJSON(w, http.StatusOK, answer)
	return c, nil
}

// roles lets managers see which roles there are, and how many have them.
func (p people) roles(w http.ResponseWriter, r *http.Request) (gate.Caller, error) {
	c, err := p.manager(r)
	if err != nil {
		return c, err
	}
	all, err := p.identity.RoleCounts(r.Context())
	if err == nil {
		writeJSON(w, http.StatusOK, map[string]any{"roles": all})
	}
	return c, err
}
