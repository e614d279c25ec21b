package cli

import (
	"errors"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/config"
)

// channelRules compiles the settings' rules on channels, or the default ones
// when the settings have none. Faults are told as the configuration's own, with
// their place in the file.
func channelRules(cfg *config.Config) (*authz.Rules, error) {
	list := authz.DefaultRules()
	if cfg.ChannelsSet() {
		list = make([]authz.Rule, len(cfg.Channels))
		for i, r := range cfg.Channels {
			list[i] = authz.Rule(r)
		}
	}
	rules, err := authz.Compile(list)
	found, ok := errors.AsType[authz.Faults](err)
	if !ok {
		return rules, err
	}
	faults := make([]config.RuleFault, len(found))
	for i, f := range found {
		faults[i] = config.RuleFault{Rule: f.Rule, Key: f.Field, Line: f.Line, Column: f.Column, Message: f.Message}
	}
	return nil, cfg.RuleError(faults)
}

// acceptable judges settings that could be read by what only their use shows:
// example secrets on a public address, rules and dashboards that do not compile.
func acceptable(cfg *config.Config) error {
	var faults []config.Fault
	_, rules := channelRules(cfg)
	_, boards := liveDashboards(cfg)
	for _, err := range []error{cfg.RefusesPublicExample(), rules, boards} {
		found, ok := errors.AsType[*config.Error](err)
		if err != nil && !ok {
			return err
		}
		if ok {
			faults = append(faults, found.Faults...)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &config.Error{Faults: faults}
}
