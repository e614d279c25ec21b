package doctor_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/doctor"
)

// sound is a .env in which nothing is wrong.
const sound = `APP_NAME=Hub
BROADCAST_CONNECTION=pusher
QUEUE_CONNECTION=sync
PUSHER_APP_ID=1001
PUSHER_APP_KEY=analytics
PUSHER_APP_SECRET="b7c1a0d9e8f7a6b5c4d3" # ours
PUSHER_HOST=ws.shop.test
PUSHER_PORT=443
PUSHER_SCHEME=https
PUSHER_APP_CLUSTER=mt1
VITE_PUSHER_APP_KEY="${PUSHER_APP_KEY}"
VITE_PUSHER_HOST="${PUSHER_HOST}"
VITE_PUSHER_PORT="${PUSHER_PORT}"
VITE_PUSHER_SCHEME="${PUSHER_SCHEME}"
`

func TestEnvNamesEachFault(t *testing.T) {
	vite := []string{"vite.config.js"}
	for name, c := range map[string]struct {
		change []string // pairs of old and new
		files  []string
		pkg    string
		want   string // the names and causes of the checks
	}{
		"nothing":                   {nil, vite, "", "env"},
		"nothing, without a page":   {nil, nil, "", "env"},
		"no secret":                 {[]string{"PUSHER_APP_SECRET=", "X="}, vite, "", "env PUSHER_APP_SECRET env_missing_key"},
		"the prefix of Mix":         {[]string{"VITE_", "MIX_"}, vite, "", "env MIX_PUSHER_APP_KEY env_wrong_prefix"},
		"the prefix of Vite, Next":  {nil, []string{"next.config.mjs"}, "", "env VITE_PUSHER_APP_KEY env_wrong_prefix"},
		"the prefix of Vite, Mix":   {nil, nil, `{"devDependencies":{"laravel-mix":"6"}}`, "env VITE_PUSHER_APP_KEY env_wrong_prefix"},
		"no key for pages":          {[]string{"VITE_PUSHER_APP_KEY", "X"}, vite, "", "env VITE_PUSHER_APP_KEY env_missing_key"},
		"an empty key for pages":    {[]string{`VITE_PUSHER_APP_KEY="${PUSHER_APP_KEY}"`, "VITE_PUSHER_APP_KEY="}, vite, "", "env VITE_PUSHER_APP_KEY env_missing_key"},
		"the broadcaster null":      {[]string{"BROADCAST_CONNECTION=pusher", "BROADCAST_CONNECTION=null"}, vite, "", "env BROADCAST_CONNECTION env_null_broadcaster"},
		"the broadcaster log":       {[]string{"BROADCAST_CONNECTION=pusher", "BROADCAST_DRIVER=log"}, vite, "", "env BROADCAST_DRIVER env_null_broadcaster"},
		"no broadcaster":            {[]string{"BROADCAST_CONNECTION=pusher", ""}, vite, "", "env env_null_broadcaster"},
		"two names that contradict": {[]string{"BROADCAST_CONNECTION=pusher", "BROADCAST_CONNECTION=pusher\nBROADCAST_DRIVER=log"}, vite, "", "env BROADCAST_DRIVER env_old_name"},
		"the old name":              {[]string{"BROADCAST_CONNECTION", "BROADCAST_DRIVER"}, []string{"vite.config.ts", "bootstrap/providers.php"}, "", "env BROADCAST_DRIVER env_old_name"},
		"no host":                   {[]string{"PUSHER_HOST=ws.shop.test", "PUSHER_HOST="}, vite, "", "env PUSHER_HOST env_no_host"},
		"no host for pages":         {[]string{"VITE_PUSHER_HOST=", "VITE_PUSHER_APP_CLUSTER=mt1\nX="}, vite, "", "env VITE_PUSHER_HOST env_no_host"},
		"a cluster and a host":      {[]string{"CLUSTER=mt1", "CLUSTER=eu"}, vite, "", "env PUSHER_APP_CLUSTER env_cluster_with_host"},
		"https on 6001":             {[]string{"PUSHER_PORT=443", "PUSHER_PORT=6001"}, vite, "", "env PUSHER_SCHEME env_tls_on_plain_port; env VITE_PUSHER_SCHEME env_tls_on_plain_port"},
		"http on 443":               {[]string{"PUSHER_SCHEME=https", "PUSHER_SCHEME=http"}, vite, "", "env PUSHER_SCHEME env_tls_on_plain_port; env VITE_PUSHER_SCHEME env_tls_on_plain_port"},
		"a scheme in the host":      {[]string{"PUSHER_HOST=ws.", "PUSHER_HOST=https://ws."}, nil, "", "env PUSHER_HOST env_host_with_scheme; env VITE_PUSHER_HOST env_host_with_scheme"},
		"a port that is none":       {[]string{"PUSHER_PORT=443", "PUSHER_PORT=abc"}, vite, "", "env PUSHER_PORT env_bad_port; env VITE_PUSHER_PORT env_bad_port"},
		"a queue without a worker":  {[]string{"QUEUE_CONNECTION=sync", "QUEUE_CONNECTION=database"}, vite, "", "env QUEUE_CONNECTION env_queue_without_worker"},
		"a queue with a worker":     {[]string{"QUEUE_CONNECTION=sync", "QUEUE_CONNECTION=database"}, vite, "worker: php artisan queue:work", "env"},
		"spaces in a secret":        {[]string{`"b7c1a0d9e8f7a6b5c4d3"`, `"b7c1a0d9e8f7a6b5c4d3 "`}, vite, "", "env PUSHER_APP_SECRET env_quotes_or_spaces"},
		"a quote in a key":          {[]string{"KEY=analytics", "KEY='analytics"}, vite, "", "env PUSHER_APP_KEY env_quotes_or_spaces"},
		"another key for pages":     {[]string{`VITE_PUSHER_APP_KEY="${PUSHER_APP_KEY}"`, "VITE_PUSHER_APP_KEY=other"}, vite, "", "env VITE_PUSHER_APP_KEY env_values_differ"},
		"a variable defined later":  {[]string{"KEY=\"${PUSHER_APP_KEY}\"", "KEY=\"${PUSHER_KEY}\""}, vite, "", "env VITE_PUSHER_APP_KEY env_missing_key"},
		"an example secret":         {[]string{"b7c1a0d9e8f7a6b5c4d3", "your-app-secret"}, vite, "", "env PUSHER_APP_SECRET env_example_credentials"},
		"a placeholder":             {[]string{"ID=1001", "ID=your-app-id"}, vite, "", "env PUSHER_APP_ID env_example_credentials"},
		"a secret in pages":         {[]string{"APP_NAME=Hub", "VITE_PUSHER_APP_SECRET=b7c1a0d9e8f7a6b5c4d3"}, vite, "", "env VITE_PUSHER_APP_SECRET env_secret_in_front_end"},
	} {
		text := sound
		for i := 0; i < len(c.change); i += 2 {
			text = strings.Replace(text, c.change[i], c.change[i+1], -1)
		}
		weak := func(secret string) string {
			if secret == "your-app-secret" {
				return "it is an example"
			}
			return ""
		}
		var got []string
		for _, one := range doctor.Env(doctor.Project{Env: text, File: ".env", Files: c.files, Package: c.pkg, Weak: weak}) {
			got = append(got, strings.TrimSpace(one.Name+" "+string(one.Cause)))
			if strings.Contains(one.Seen+one.Fix, "b7c1") || strings.Contains(one.Seen+one.Fix, "your-app-secret") {
				t.Errorf("%s: a secret is told: %+v", name, one)
			}
			if one.Status == doctor.Failed && (one.Fix == "" || !strings.HasPrefix(one.Seen, ".env")) {
				t.Errorf("%s: %+v", name, one)
			}
		}
		if all := strings.Join(got, "; "); all != c.want {
			t.Errorf("%s: %s\nwant %s", name, all, c.want)
		}
	}
}

func FuzzEnv(f *testing.F) {
	f.Add(sound)
	f.Add("A='\n=\nB=\"${A}\"\r\nexport C = d # e")
	f.Fuzz(func(t *testing.T, text string) {
		if len(doctor.Env(doctor.Project{Env: text, File: ".env", Files: []string{"vite.config.js"}})) == 0 {
			t.Error("no check")
		}
	})
}
