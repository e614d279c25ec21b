// Package examples holds what a program that shows the examples needs of them.
package examples

import _ "embed"

// CheckinsConfig is the belfry.yaml that defines the dashboard of
// examples/checkins. It reads CHECKINS_DATABASE_URL and CHECKINS_TIMEZONE.
//
//go:embed checkins/belfry.yaml
var CheckinsConfig []byte
