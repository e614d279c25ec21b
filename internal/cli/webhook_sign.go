package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/webhook"
)

// maxWebhookFile bounds what is read from a file: more than a receiver takes,
// so that its refusal can be tried.
const maxWebhookFile = 16 << 20

// noWebhookSecret is the fault of a command that has to sign.
var noWebhookSecret = belfry.Error{
	Code:    belfry.CodeInvalid,
	Message: "there is no secret to sign with",
	Hint:    "set " + webhook.EnvSecrets + " in the environment or in .env, or webhook_shared_secret in belfry.yaml",
}

type webhookSign struct {
	*Program
	scheme, id string
	timestamp  int64
	json       bool
}

func newWebhook(p *Program) *cobra.Command {
	return group("webhook", "signed webhooks, as the dashboards take them", true, newWebhookSign(p), newWebhookSend(p))
}

func newWebhookSign(p *Program) *cobra.Command {
	c := &webhookSign{Program: p}
	cmd := newCommand("sign FILE", "print the signature of a body", cobra.ExactArgs(1), c.run)
	cmd.Long = `Print the headers that sign the bytes of FILE, one on a line, as curl takes them;
- signs standard input. The secret is that of the settings, ` + webhook.EnvSecrets + `:
of several the first signs in the plain scheme, each of them in the standard one.
The bytes are taken as they are: a newline at the end of a file is signed too.

The plain scheme is X-Webhook-Signature, the hexadecimal HMAC-SHA256 of the body.
The standard one is that of Standard Webhooks, with an id and a timestamp, and is
good for five minutes.`
	cmd.Example = `belfry webhook:sign body.json
belfry webhook:sign body.json --scheme standard
belfry webhook:sign body.json > headers && curl -H @headers --data-binary @body.json https://ws.example.com/api/dashboard/notify-update`
	f := cmd.Flags()
	f.StringVar(&c.scheme, "scheme", "plain", "`scheme`: plain or standard")
	f.StringVar(&c.id, "id", "", "`id` of the message, in the standard scheme (default: a new one)")
	f.Int64Var(&c.timestamp, "timestamp", 0, "`seconds` since 1970, in the standard scheme (default: now)")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *webhookSign) run(cmd *cobra.Command, args []string) error {
	schemes, err := parseScheme(c.scheme)
	if err != nil {
		return err
	}
	_, secrets, err := c.webhookSettings()
	if err != nil {
		return err
	}
	body, err := c.readBody(args[0])
	if err != nil {
		return err
	}
	at := time.Now()
	if cmd.Flags().Changed("timestamp") {
		at = time.Unix(c.timestamp, 0)
	}
	if c.id == "" {
		c.id = webhook.NewID()
	}
	h := http.Header{}
	if err := webhook.SetHeaders(h, schemes, secrets, c.id, at, body); err != nil {
		return err
	}
	headers := map[string]string{}
	for name := range h {
		headers[name] = h.Get(name)
	}
	if c.json {
		return printJSON(c.Stdout, headers)
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if _, err := fmt.Fprintf(c.Stdout, "%s: %s\n", name, headers[name]); err != nil {
			return err
		}
	}
	return nil
}

// parseScheme reads --scheme; both is both.
func parseScheme(text string) ([]webhook.Scheme, error) {
	switch s := webhook.Scheme(text); s {
	case webhook.Plain, webhook.Standard:
		return []webhook.Scheme{s}, nil
	}
	return nil, &usageError{fmt.Errorf("there is no scheme %q: write plain or standard", text)}
}

// webhookSettings gives where webhooks go and what signs them. A fault
// elsewhere in the settings is one here too; the secrets must be there.
func (p *Program) webhookSettings() (*config.Config, []string, error) {
	cfg, err := p.load(nil)
	if err != nil {
		return nil, nil, err
	}
	secrets := webhook.ParseSecrets(strings.Join(cfg.WebhookSharedSecrets, ","))
	if len(secrets) == 0 {
		missing := noWebhookSecret
		return nil, nil, &missing
	}
	return cfg, secrets, nil
}

// readBody reads a file, or with - standard input, as it is.
func (p *Program) readBody(name string) ([]byte, error) {
	from := p.Stdin
	if name != "-" {
		if p.Dir != "" && !filepath.IsAbs(name) {
			name = filepath.Join(p.Dir, name)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "the body cannot be read", Err: err,
				Hint: "name a file, or - for standard input"}
		}
		defer f.Close()
		from = f
	}
	body, err := io.ReadAll(io.LimitReader(from, maxWebhookFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case len(body) > maxWebhookFile:
		return nil, &usageError{errors.New("the body is longer than 16 MB; Belfry takes 64 KB")}
	}
	return body, nil
}
