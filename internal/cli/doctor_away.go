package cli

import (
	"context"
	"net/url"
	"strconv"

	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/doctor"
)

// running examines the server that a command is for.
func (c *doctorCommand) running(ctx context.Context) ([]doctor.Check, error) {
	link, err := c.linkElsewhere(ctx)
	if err != nil {
		return nil, err
	}
	if link == nil {
		return c.local(ctx), nil
	}
	defer link.Close()
	return c.away(ctx, link)
}

// away has a server on another machine examine itself, and reaches it from here.
func (c *doctorCommand) away(ctx context.Context, link *control.Client) ([]doctor.Check, error) {
	status, err := link.Status(ctx)
	if err != nil {
		return nil, err
	}
	apps, err := link.Apps().List(ctx)
	if err != nil {
		return nil, err
	}
	checks, err := link.Examine(ctx)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(c.address())
	if err != nil {
		return nil, err
	}
	t := c.target
	t.Scheme, t.Host, t.Path = u.Scheme, u.Hostname(), u.Path
	if t.Port, err = strconv.Atoi(u.Port()); err != nil {
		t.Port = map[bool]int{true: 443, false: 80}[u.Scheme == "https"]
	}
	for _, app := range apps {
		if app.ID == status.DefaultApp && len(app.Keys) > 0 {
			t.AppID, t.Key = app.ID, app.Keys[0]
		}
	}
	return append(checks, runTarget(ctx, "from here ", t)...), nil
}
