// Package school has the words of the check-in app: the levels of a check-in and
// of what belongs to it, and made-up students and check-ins.
package school

// Moods are the moods of a check-in, from the best to the worst.
func Moods() []string {
	return []string{"Awesome", "Great", "Loved", "Okay", "Meh", "Anxious", "Bad", "Terrible", "Upset"}
}

// Energies are the levels of energy of a check-in.
func Energies() []string { return []string{"Low", "Moderate", "High"} }

// Stresses are the levels of stress of a check-in.
func Stresses() []string {
	return []string{"No Stress", "Low Stress", "Moderate", "High Stress", "Very High Stress"}
}

// FeelBetter are the answers to whether one feels better than the last time.
func FeelBetter() []string { return []string{"Yes", "No", "Same"} }

// Severities are those of an alert.
func Severities() []string { return []string{"low", "medium", "high"} }

// Statuses are those of an alert. One that is resolved is no flag any more.
func Statuses() []string { return []string{"open", "in_progress", "resolved"} }

// Sentiments are what was read out of a journal entry or of a comment.
func Sentiments() []string { return []string{"positive", "neutral", "negative"} }
