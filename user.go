package belfry

import "slices"

// The roles that Belfry itself knows. Any other name is an application's own.
const (
	RoleAdmin   = "admin"   // opens the console
	RoleManager = "manager" // manages notifications
)

// User is a person, or an application's own user, as far as rights go. IDs are
// text everywhere, also where they look like numbers: "7" and "07" are two
// users.
type User struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Email string   `json:"email,omitempty"`
	Roles []string `json:"roles"`
	// Claims are the token's own, for users of a JWT issuer; nil for others.
	Claims map[string]any `json:"-"`
	// Foreign says that the user comes from a JWT issuer and is not kept here.
	Foreign bool `json:"-"`
}

// Is reports whether the user has the role.
func (u *User) Is(role string) bool { return slices.Contains(u.Roles, role) }
