package webhook

import "os"

// The variables that FromEnv reads.
const (
	EnvURL     = "LARAVEL_WEBHOOK_URL" // or EnvURLToo
	EnvURLToo  = "BELFRY_WEBHOOK_URL"
	EnvSecrets = "SERVICES_WEBHOOK_SHARED_SECRET" // one, or several parted by commas
)

// FromEnv gives a Config with the URL and the secrets of the environment, and
// defaults for the rest. What is missing there is missing in it: NewSender says
// so.
func FromEnv() Config {
	url := os.Getenv(EnvURL)
	if url == "" {
		url = os.Getenv(EnvURLToo)
	}
	return Config{URL: url, Secrets: ParseSecrets(os.Getenv(EnvSecrets))}
}
