package school

import "math/rand/v2"

// Pick gives one of a list.
func Pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

var (
	firstNames = []string{"Ada", "Ben", "Chloe", "Dev", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mina", "Noah", "Olga", "Pavel", "Ruth", "Sami", "Tess", "Yusuf"}
	lastNames  = []string{"Adler", "Baker", "Costa", "Demir", "Evans", "Fischer", "Garcia", "Haddad", "Ivanov", "Jensen", "Kaya", "Lindqvist", "Moreau", "Novak", "Okafor", "Park"}
	reasons    = []string{"Very high stress three times in a row", "No check-in for two weeks", "Mood has fallen all week", "Asked for help in a comment", "Stress before the exams"}
	forms      = []string{"appointment", "first-visit", "group-session"}
)

// Reasons are those that made-up alerts have.
func Reasons() []string { return append([]string{}, reasons...) }

// Forms are those that made-up downloads are of.
func Forms() []string { return append([]string{}, forms...) }

// Name makes up a student's name.
func Name(r *rand.Rand) string {
	return firstNames[r.IntN(len(firstNames))] + " " + lastNames[r.IntN(len(lastNames))]
}

// MadeUp are the levels of a made-up check-in.
type MadeUp struct {
	Mood, Energy, Stress, FeelBetter string
	Sentiment                        string // that a reader would find in it
}

// Levels makes up how somebody is: the more strain, from 0 to 1, the worse.
func Levels(r *rand.Rand, strain float64) MadeUp {
	// Several throws keep most in the middle.
	load := r.Float64()*0.65 + r.Float64()*0.2 + strain*0.15
	pick := func(levels []string, at float64) string {
		return levels[min(len(levels)-1, int(at*float64(len(levels))))]
	}
	made := MadeUp{
		Mood:       pick(Moods(), load),
		Energy:     pick(Energies(), 1-load*0.7-r.Float64()*0.3),
		Stress:     pick(Stresses(), load*0.7+r.Float64()*0.3),
		FeelBetter: FeelBetter()[r.IntN(3)],
		Sentiment:  "neutral",
	}
	switch {
	case load > 0.6:
		made.Sentiment = "negative"
	case load < 0.35:
		made.Sentiment = "positive"
	}
	return made
}
