package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/webhook"
)

type webhookSend struct {
	*Program
	scheme, reason, period, id string
	timeout                    seconds
	json                       bool
}

func newWebhookSend(p *Program) *cobra.Command {
	c := &webhookSend{Program: p, timeout: seconds(5 * time.Second)}
	cmd := newCommand("send [URL] [FILE]", "post a signed webhook, and show the answer", cobra.MaximumNArgs(2), c.run)
	cmd.Long = `Sign the bytes of FILE, post them to URL and show the answer; - takes them from
standard input. Without a URL they go to ` + webhook.EnvURL + ` of the settings. With
--reason in place of FILE the body is the one that tells a dashboard of a change.
The secret is that of the settings, ` + webhook.EnvSecrets + `. There is one
attempt, and redirects are not followed. Exits with 1 unless the answer is a 2xx.`
	cmd.Example = `belfry webhook:send https://ws.example.com/api/dashboard/notify-update body.json
belfry webhook:send http://localhost:6001/api/dashboard/notify-update --reason "checkin created"
belfry webhook:send --reason test --json`
	f := cmd.Flags()
	f.StringVar(&c.reason, "reason", "", "tell a dashboard of a change, with this `text` as the reason")
	f.StringVar(&c.period, "range", "this_week", "`range` that the body of --reason names")
	f.StringVar(&c.scheme, "scheme", "both", "`scheme` whose headers are set: plain, standard or both")
	f.StringVar(&c.id, "id", "", "`id` of the message, in the standard scheme (default: a new one)")
	f.Var(&c.timeout, "timeout", "`seconds` to wait for the answer")
	jsonFlag(cmd, &c.json)
	return cmd
}

// posted is the answer in JSON.
type posted struct {
	OK         bool   `json:"ok"`
	Status     int    `json:"status"` // 0: no answer
	ID         string `json:"id"`
	Answer     string `json:"answer"`
	Error      string `json:"error,omitempty"`
	DurationMS int64  `json:"duration_ms"`
}

func (c *webhookSend) run(cmd *cobra.Command, args []string) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	url, file, err := c.target(args)
	if err != nil {
		return err
	}
	cfg, secrets, err := c.webhookSettings()
	if err != nil {
		return err
	}
	if url == "" {
		url = cfg.WebhookURL
	}
	if url == "" {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "there is no URL to post to",
			Hint: "name one, or set " + webhook.EnvURL + " (or " + webhook.EnvURLToo + ")"}
	}
	body, err := c.body(file)
	if err != nil {
		return err
	}
	post := webhook.PostConfig{URL: url, Secrets: secrets, Timeout: time.Duration(c.timeout)}
	if c.scheme != "both" {
		if post.Schemes, err = parseScheme(c.scheme); err != nil {
			return err
		}
	}
	p, err := webhook.NewPoster(post)
	if err != nil {
		return &usageError{errors.New(strings.TrimPrefix(err.Error(), "webhook: "))}
	}
	defer p.Close()
	if c.id == "" {
		c.id = webhook.NewID()
	}
	begun := time.Now()
	r, err := p.Post(ctx, webhook.Message{ID: c.id, Body: body})
	return c.print(r, err, time.Since(begun))
}

// target tells URL and FILE apart.
func (c *webhookSend) target(args []string) (url, file string, err error) {
	if len(args) > 0 && strings.Contains(args[0], "://") {
		url, args = args[0], args[1:]
	}
	if len(args) > 1 {
		return "", "", &usageError{errors.New("the URL must begin with http:// or https://")}
	}
	if len(args) == 1 {
		file = args[0]
	}
	switch {
	case file == "" && c.reason == "":
		return "", "", &usageError{errors.New("name the file to post, or give a --reason")}
	case file != "" && c.reason != "":
		return "", "", &usageError{errors.New("give a file or a --reason, not both: the file's bytes are posted as they are")}
	}
	return url, file, nil
}

func (c *webhookSend) body(file string) ([]byte, error) {
	if file != "" {
		return c.readBody(file)
	}
	return webhook.ChangeBody(c.reason, c.period), nil
}

func (c *webhookSend) print(r webhook.Result, err error, took time.Duration) error {
	p := posted{OK: err == nil, Status: r.Status, ID: c.id, Answer: string(r.Answer), DurationMS: took.Milliseconds()}
	refused, ok := errors.AsType[*webhook.PostError](err)
	if err != nil && !ok {
		return err
	}
	if refused != nil {
		p.Status, p.Answer = refused.Status, refused.Answer
		p.Error = strings.TrimPrefix(err.Error(), "webhook: ")
	}
	if c.json {
		if err := printJSON(c.Stdout, p); err != nil || p.OK {
			return err
		}
		return errSaid
	}
	if refused != nil {
		e := &belfry.Error{Code: belfry.CodeUnavailable, Message: p.Error}
		if p.Status == 403 || p.Status == 401 {
			e.Hint = "compare " + webhook.EnvSecrets + " here and at the receiver; its log says which mistake would explain the signature"
		}
		return e
	}
	rows := [][]string{{"status", strconv.Itoa(p.Status)}, {"id", p.ID}, {"time", took.Round(time.Millisecond).String()}}
	if p.Answer != "" {
		rows = append(rows, []string{"answer", shorten(printable(strings.TrimSpace(p.Answer)), 1000)})
	}
	return table(c.Stdout, rows)
}
