package asynqqueue

import (
	"context"
	"strings"
)

// Prepare implements queue.Driver: it reaches Redis, and warns in the log when
// Redis would lose jobs that it took.
func (d *Driver) Prepare(ctx context.Context) error {
	if err := d.client.Ping(ctx).Err(); err != nil {
		return d.wrap(err)
	}
	settings := map[string]string{}
	for _, name := range []string{"appendonly", "save", "maxmemory", "maxmemory-policy"} {
		answer, err := d.client.ConfigGet(ctx, name).Result()
		if err != nil {
			if isNetwork(err) {
				return d.wrap(err)
			}
			// Providers of managed Redis refuse the command.
			d.log.Warn("it is unknown whether Redis keeps jobs on disk: it does not tell its settings; make sure that it has a persistent disk and does not evict keys", "redis", d.place)
			return nil
		}
		settings[name] = answer[name]
	}
	d.judge(settings)
	return nil
}

func (d *Driver) judge(settings map[string]string) {
	if settings["appendonly"] != "yes" {
		if strings.TrimSpace(settings["save"]) == "" {
			d.log.Warn("Redis keeps nothing on disk: all queued jobs are lost when it stops; set appendonly yes in its configuration", "redis", d.place)
		} else {
			d.log.Warn("Redis writes to disk only now and then: the jobs since then are lost when it is killed; set appendonly yes in its configuration", "redis", d.place, "save", settings["save"])
		}
	}
	if policy := settings["maxmemory-policy"]; strings.HasPrefix(policy, "allkeys-") {
		// Jobs have no time to live, so the volatile policies leave them alone.
		message := "Redis may throw jobs away when its memory is full; set maxmemory-policy noeviction in its configuration"
		if settings["maxmemory"] == "0" {
			message = "Redis would throw jobs away if its memory had a limit; set maxmemory-policy noeviction in its configuration"
		}
		d.log.Warn(message, "redis", d.place, "policy", policy)
	}
}
