package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightshift/db"
	"nightshift/jobs/external/webhook"
)

// webhookCourier carries messages to one endpoint, each over a connection of its own.
type webhookCourier struct{ client *webhook.Client }

// dialWebhook prepares the way to an endpoint; whether it is there shows with the first message.
func (o *Outbox) dialWebhook(_ context.Context, account db.ExtAccount) (courier, error) {
	secret, err := o.config.DB.Secret(account)
	if err != nil {
		return nil, err
	}
	c, err := webhook.New(webhook.Endpoint{URL: account.Server, Secret: secret, Authority: account.Params["authority"],
		Private: account.Params["private"] == "true"})
	if err != nil {
		return nil, settings(err)
	}
	return &webhookCourier{c}, nil
}

// send posts the message. Without an answer it is tried again: the endpoint knows by the id what it has already. Where
// the endpoint as a whole fails, what waits for it waits together.
func (c *webhookCourier) send(ctx context.Context, m message) (string, error) {
	answer, err := c.client.Send(ctx, m.key, []byte(m.text))
	var f *webhook.Failure
	if errors.As(err, &f) {
		failed := &failure{refused: f.Refused, broken: !f.Refused, after: f.After, text: f.Error()}
		if !f.Refused || errors.Is(f, webhook.ErrPrivate) || f.Code == 401 || f.Code == 403 || f.Code == 404 {
			failed.account = problemOf(err)
		}
		return "", failed
	}
	return answer, err
}

func (c *webhookCourier) close() {}

// tryWebhook sends a message that says that it is a test.
func (o *Outbox) tryWebhook(ctx context.Context, account db.ExtAccount) error {
	c, err := o.dialWebhook(ctx, account)
	if err != nil {
		return err
	}
	text := "Nightshift: this is a test of the webhook %s."
	if account.Params["language"] == "ko" {
		text = "Nightshift: 웹훅 %s 테스트."
	}
	body := fmt.Sprintf(`{"text":%q,"event":"test"}`, fmt.Sprintf(text, account.Name))
	_, err = c.send(ctx, message{key: fmt.Sprintf("test:%s:%d", account.Name, time.Now().UnixNano()), text: body})
	return err
}
