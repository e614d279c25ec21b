package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/config"
)

type configCheck struct {
	*Program
	json bool
}

func newConfigCheck(p *Program) *cobra.Command {
	c := &configCheck{Program: p}
	cmd := newCommand("check", "check the settings and list every fault", cobra.NoArgs, c.run)
	cmd.Long = `Check the settings as a server started here and now would read them, and list
every fault with its place. Exits with 1 when there is one.`
	cmd.Example = "belfry config check --config /etc/belfry.yaml"
	jsonFlag(cmd, &c.json)
	return cmd
}

// verdict is the answer in JSON.
type verdict struct {
	OK       bool     `json:"ok"`
	Faults   []fault  `json:"faults"`
	Warnings []string `json:"warnings"`
}

type fault struct {
	Where   string `json:"where"`
	Key     string `json:"key"`
	Message string `json:"message"`
}

func (c *configCheck) run(*cobra.Command, []string) error {
	cfg, err := c.load(nil)
	if err == nil {
		err = acceptable(cfg)
	}
	faults, isFaults := errors.AsType[*config.Error](err)
	if err != nil && !isFaults {
		return err
	}
	v := verdict{OK: err == nil, Faults: []fault{}, Warnings: []string{}}
	if isFaults {
		for _, f := range faults.Faults {
			v.Faults = append(v.Faults, fault{f.Where, f.Key, f.Message})
		}
	}
	if cfg != nil {
		v.Warnings = append(v.Warnings, cfg.Warnings()...)
	}
	if c.json {
		if err := printJSON(c.Stdout, v); err != nil || v.OK {
			return err
		}
		return errSaid
	}
	for _, w := range v.Warnings {
		fmt.Fprintf(c.Stderr, "warning: %s\n", w)
	}
	if !v.OK {
		return err
	}
	source := cfg.File()
	if source == "" {
		source = "no file; environment and defaults"
	}
	_, err = fmt.Fprintf(c.Stdout, "the configuration is in order (%s; apps: %d)\n", source, len(cfg.Apps()))
	return err
}
