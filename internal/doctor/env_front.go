package doctor

import (
	"slices"
	"strings"
)

// prefixes are those that bundlers pass on.
func prefixes() []string { return []string{"VITE_", "MIX_", "NEXT_PUBLIC_", "REACT_APP_"} }

// frontEnd looks at what pages get.
func (r *envReader) frontEnd() {
	keys := map[string]bool{} // prefixes with a key
	for _, v := range r.list {
		for _, p := range prefixes() {
			if v.name == p+"PUSHER_APP_KEY" || v.name == p+"REVERB_APP_KEY" {
				keys[p] = true
			}
			if strings.HasPrefix(v.name, p) && strings.HasSuffix(v.name, "SECRET") && v.value != "" {
				r.add(EnvSecretExposed, v.name, "remove the line, and make a new secret: belfry app:rotate-secret", "%s puts a secret into every page: with it anybody can publish", v.name)
			}
		}
	}
	want := prefixOf(r.bundler)
	switch {
	case want == "":
	case keys[want]:
	case len(keys) > 0:
		for _, p := range prefixes() {
			if keys[p] {
				name := p + "PUSHER_APP_KEY"
				if r.get(name) == "" {
					name = p + "REVERB_APP_KEY"
				}
				r.add(EnvPrefix, name, "name it "+want+strings.TrimPrefix(name, p)+", and build again", "%s is not passed on to pages: %s passes on what begins with %s", name, r.bundler, want)
			}
		}
	case r.get("PUSHER_APP_KEY") != "" || r.get("REVERB_APP_KEY") != "":
		name := "PUSHER_APP_KEY"
		if r.get(name) == "" {
			name = "REVERB_APP_KEY"
		}
		r.add(EnvMissing, want+name, "write "+want+name+`="${`+name+`}", and build again`, "%s is missing: pages that %s builds get no key", want+name, r.bundler)
	}
	for _, p := range prefixes() {
		r.compare(p)
	}
}

// compare finds values of pages that are not the back end's.
func (r *envReader) compare(p string) {
	for _, v := range r.list {
		base, ok := strings.CutPrefix(v.name, p)
		if !ok || !slices.Contains([]string{"PUSHER_APP_KEY", "PUSHER_APP_CLUSTER", "REVERB_APP_KEY"}, base) {
			continue
		}
		other, there := r.vars[base]
		switch {
		case strings.Contains(v.value, "${"):
			r.add(EnvMissing, v.name, "define the variable above this line", "%s names a variable that is not defined before it", v.name)
		case there && other.value != "" && v.value == "":
			r.add(EnvMissing, v.name, "write "+v.name+`="${`+base+`}", and build again`, "%s is empty, and %s is not", v.name, base)
		case there && v.value != other.value:
			r.add(EnvDiffers, v.name, "write "+v.name+`="${`+base+`}", and build again`, "%s is another value than %s: the page connects to another app than the one that is published in", v.name, base)
		}
	}
}

// values looks at each value by itself.
func (r *envReader) values() {
	for _, v := range r.list {
		ours := strings.Contains(v.name, "PUSHER_") || strings.Contains(v.name, "REVERB_") || v.name == "SERVICES_WEBHOOK_SHARED_SECRET"
		if !ours {
			continue
		}
		secret := strings.HasSuffix(v.name, "SECRET")
		if v.padded && (secret || strings.HasSuffix(v.name, "KEY") || strings.HasSuffix(v.name, "ID") || strings.HasSuffix(v.name, "HOST")) {
			r.add(EnvQuotes, v.name, "write it without spaces, and with no quotes or a pair of them", "%s holds quotes or spaces, which some readers count as part of it", v.name)
			continue
		}
		if why := r.Weak(v.value); secret && v.value != "" && strings.Contains(why, "example") {
			r.add(EnvExample, v.name, "make one with: openssl rand -hex 32, and set it on the server too", "%s is an example from public documents: anybody can sign with it", v.name)
		}
		if slices.Contains([]string{"PUSHER_APP_ID", "PUSHER_APP_KEY", "REVERB_APP_KEY", "REVERB_APP_ID"}, v.name) &&
			slices.Contains([]string{"app-id", "app-key", "your-app-id", "your-app-key", "your_app_key", "your_app_id", "your-pusher-key", "your-pusher-app-id", "your-pusher-app-key"}, strings.ToLower(v.value)) {
			r.add(EnvExample, v.name, "write the id and key of your app", "%s is a placeholder", v.name)
		}
	}
}
