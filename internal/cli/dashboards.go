package cli

import (
	"errors"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/dashboard"
)

// liveDashboards compiles the settings' dashboards. Faults are told as the
// configuration's own, with their place in the file.
func liveDashboards(cfg *config.Config) (*dashboard.Set, error) {
	set, err := dashboard.Compile(dashboardSpecs(cfg))
	found, ok := errors.AsType[dashboard.Faults](err)
	if !ok {
		return set, err
	}
	faults := make([]config.DashboardFault, len(found))
	for i, f := range found {
		faults[i] = config.DashboardFault(f)
	}
	return nil, cfg.DashboardError(faults)
}

// dashboardSpecs gives the settings' dashboards as their compiler takes them.
func dashboardSpecs(cfg *config.Config) []dashboard.Spec {
	specs := make([]dashboard.Spec, len(cfg.Dashboards))
	for i, d := range cfg.Dashboards {
		specs[i] = dashboard.Spec{
			Name: d.Name, Title: d.Title, Database: d.Database, Public: d.Public, Timezone: d.Timezone, WeekStarts: d.WeekStarts, Range: d.Range,
			Timeout: d.Timeout, Refresh: d.Refresh, Rows: d.Rows,
		}
		for _, f := range d.Figures {
			specs[i].Figures = append(specs[i].Figures, dashboard.FigureSpec(f))
		}
	}
	return specs
}
