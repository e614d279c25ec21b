package service

import (
	"slices"

	"github.com/belfryhq/belfry/examples/checkins/school"
)

// kind is what a field holds.
type kind int

const (
	text    kind = iota
	integer      // from 1 on: an id
	boolean
)

// field is one member of a resource, and the column of the same name.
type field struct {
	name     string
	about    string // for the description
	kind     kind
	required bool     // may not be left out, nor be null
	initial  any      // when left out; nil is null
	levels   []string // the values that a text may have
	max      int      // characters of a text
	lines    bool     // the text may have several
	of       string   // the table whose id it is
	example  any
}

// resource is one kind of thing that the service keeps: a table, and the paths
// that read and change it.
type resource struct {
	path    string // under /api/
	table   string
	one     string // in a sentence
	about   string
	fields  []field
	filters []string // fields that a list may be narrowed by
}

const maxComment = 2000

// resources are all that the service keeps. Tables that others refer to come
// first.
func resources() []resource {
	student := field{name: "student_id", about: "Whose it is.", kind: integer, required: true, of: "students", example: 1}
	sentiment := field{name: "sentiment", about: "What was read out of it.", required: true, levels: school.Sentiments(), example: "neutral"}
	return []resource{
		{path: "students", table: "students", one: "student", about: "Who checks in.", filters: []string{"active"}, fields: []field{
			{name: "name", about: "The name that counselors see.", required: true, max: 200, example: "Ada Lovelace"},
			{name: "active", about: "Whether the student still comes; others are not monitored.", kind: boolean, initial: true, example: true},
		}},
		{path: "checkins", table: "checkins", one: "check-in", about: "How a student is at a moment.",
			filters: []string{"student_id", "mood", "energy", "stress", "feel_better"}, fields: []field{
				student,
				{name: "mood", about: "The mood.", required: true, levels: school.Moods(), example: "Great"},
				{name: "energy", about: "The energy.", required: true, levels: school.Energies(), example: "Moderate"},
				{name: "stress", about: "The stress.", required: true, levels: school.Stresses(), example: "Low Stress"},
				{name: "feel_better", about: "Whether the student feels better than the last time.", levels: school.FeelBetter(), example: "Yes"},
				{name: "comment", about: "What the student writes.", max: maxComment, lines: true, example: "The exam went well."},
			}},
		{path: "alerts", table: "alerts", one: "alert", about: "What a counselor should look at.",
			filters: []string{"student_id", "severity", "status"}, fields: []field{
				student,
				{name: "severity", about: "How urgent it is.", required: true, levels: school.Severities(), example: "high"},
				{name: "status", about: "What became of it.", initial: "open", levels: school.Statuses(), example: "open"},
				{name: "reason", about: "Why there is an alert.", required: true, max: 500, example: "Very high stress three times in a row"},
			}},
		{path: "journal-sentiments", table: "journal_sentiments", one: "journal sentiment", about: "What was read out of an entry of a student's journal.",
			filters: []string{"student_id", "sentiment"}, fields: []field{student, sentiment}},
		{path: "checkin-sentiments", table: "checkin_sentiments", one: "check-in sentiment", about: "What was read out of a check-in's comment.",
			filters: []string{"checkin_id", "sentiment"}, fields: []field{
				{name: "checkin_id", about: "The check-in that it is of.", kind: integer, required: true, of: "checkins", example: 1}, sentiment}},
		{path: "form-downloads", table: "form_downloads", one: "form download",
			about:   "A student downloaded the form for an appointment, which then counts as open.",
			filters: []string{"student_id", "form"}, fields: []field{
				student, {name: "form", about: "Which form.", required: true, max: 200, example: "appointment"}}},
	}
}

func (r *resource) field(name string) *field {
	if i := slices.IndexFunc(r.fields, func(f field) bool { return f.name == name }); i >= 0 {
		return &r.fields[i]
	}
	return nil
}
