// Package interaction speaks with the execution instances that propose the offers of this instance: they get the
// catalogue of the live environments.
package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/outbound"
)

// Path is where an execution instance takes a catalogue.
const Path = "/api/v1/interaction/catalogue"

// Catalogue is what changed in one live environment. Every name in it, that of the environment included, begins with the
// sender's prefix, so that the receiver can tell it from the objects of others.
type Catalogue struct {
	Prefix      string      `json:"prefix"`
	Environment Environment `json:"environment"`
	Categories  []Category  `json:"categories"` // parents before their children
	Spaces      []Space     `json:"spaces"`
	Offers      []Offer     `json:"offers"`
}

// Objects is how many objects of the catalogue are sent.
func (c Catalogue) Objects() int { return len(c.Categories) + len(c.Spaces) + len(c.Offers) }

// Environment is the live environment.
type Environment struct {
	Name              string `json:"name"`
	Label             string `json:"label"`
	TargetSchema      string `json:"target_schema"`
	PropositionSchema string `json:"proposition_schema"`
	Anonymous         bool   `json:"anonymous"`
}

// Category is one of the categories, with the name of its parent (nil: at the top).
type Category struct {
	Name             string     `json:"name"`
	Label            string     `json:"label"`
	Parent           *string    `json:"parent"`
	Enabled          bool       `json:"enabled"`
	StartDate        *time.Time `json:"start_date"`
	EndDate          *time.Time `json:"end_date"`
	Themes           []string   `json:"themes"`
	WeightMultiplier float64    `json:"weight_multiplier"`
	MultiplierFrom   *time.Time `json:"multiplier_from"`
	MultiplierTo     *time.Time `json:"multiplier_to"`
}

// Space is a place where offers are shown.
type Space struct {
	Name           string          `json:"name"`
	Label          string          `json:"label"`
	Channel        int16           `json:"channel"`
	Unitary        bool            `json:"unitary"`
	Fields         json.RawMessage `json:"fields"`
	DefaultStatus  string          `json:"default_status"`
	AcceptedStatus string          `json:"accepted_status"`
	DisableStorage bool            `json:"disable_storage"`
}

// Offer is an offer with all of its representations and weights.
type Offer struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Code       *string         `json:"code"`
	Category   *string         `json:"category"`
	Enabled    bool            `json:"enabled"` // false: not to be proposed any more
	DisabledAt *time.Time      `json:"disabled_at"`
	StartDate  *time.Time      `json:"start_date"`
	EndDate    *time.Time      `json:"end_date"`
	Filter     json.RawMessage `json:"filter"`
	Rules      json.RawMessage `json:"rules"`
	Views      []View          `json:"views"`
	Weights    []Weight        `json:"weights"`
}

// View is how an offer looks on a space.
type View struct {
	Space   string          `json:"space"`
	Content json.RawMessage `json:"content"`
}

// Weight is a weight of an offer, on one space or on all (nil).
type Weight struct {
	Label     string          `json:"label"`
	Weight    float64         `json:"weight"`
	StartDate *time.Time      `json:"start_date"`
	EndDate   *time.Time      `json:"end_date"`
	Space     *string         `json:"space"`
	Filter    json.RawMessage `json:"filter"`
}

// Counts is what an instance has taken.
type Counts struct {
	Categories int `json:"categories"`
	Spaces     int `json:"spaces"`
	Offers     int `json:"offers"`
}

// Client calls one execution instance.
type Client struct{ *instance.Client }

// New checks the account's address and prepares a client; it does not connect yet. Waits are the pauses between the
// attempts of a call.
func New(account instance.Account, waits []time.Duration) (*Client, error) {
	client, err := instance.New(account, waits)
	if err != nil {
		return nil, err
	}
	return &Client{client}, nil
}

// ErrIncomplete is the answer of an instance that lacks what the catalogue refers to: it was restored to an earlier day,
// or never got it. It wants the whole environment.
var ErrIncomplete = errors.New("the instance lacks objects that it was sent before")

// partSize is how many bytes of objects one request has; an instance takes twice as many at least.
const partSize = 4 << 20

// Send hands a catalogue over, in one request unless it is very large. The instance takes all of a request or nothing;
// sending twice is harmless. An answer that does not count what was sent is an error.
func (c *Client) Send(ctx context.Context, catalogue Catalogue) error {
	parts, err := catalogue.Parts(partSize)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := c.send(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) send(ctx context.Context, part Catalogue) error {
	var taken Counts
	err := c.Post(ctx, Path, part, &taken)
	var refused *outbound.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusConflict {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	// There is no secret in a catalogue that an answer could repeat.
	if refused != nil && refused.Detail != "" {
		return fmt.Errorf("%w: %s", err, refused.Detail)
	}
	if err != nil {
		return err
	}
	if want := (Counts{len(part.Categories), len(part.Spaces), len(part.Offers)}); taken != want {
		return &outbound.UnfitError{Path: Path, Why: fmt.Sprintf("it counts %+v of %+v", taken, want)}
	}
	return nil
}

// Parts cuts a catalogue into some of at most so many bytes of objects each, or of one object. What an object refers to
// is in its part or in one before it.
func (c Catalogue) Parts(size int) ([]Catalogue, error) {
	begin := func() Catalogue {
		return Catalogue{Prefix: c.Prefix, Environment: c.Environment, Categories: []Category{}, Spaces: []Space{}, Offers: []Offer{}}
	}
	var parts []Catalogue
	part, used := begin(), 0
	fit := func(object any) error {
		encoded, err := json.Marshal(object)
		if err != nil {
			return err
		}
		if used > 0 && used+len(encoded) > size {
			parts, part, used = append(parts, part), begin(), 0
		}
		used += len(encoded)
		return nil
	}
	for _, one := range c.Categories {
		if err := fit(one); err != nil {
			return nil, fmt.Errorf("category %s: %w", one.Name, err)
		}
		part.Categories = append(part.Categories, one)
	}
	for _, one := range c.Spaces {
		if err := fit(one); err != nil {
			return nil, fmt.Errorf("space %s: %w", one.Name, err)
		}
		part.Spaces = append(part.Spaces, one)
	}
	for _, one := range c.Offers {
		if err := fit(one); err != nil {
			return nil, fmt.Errorf("offer %s: %w", one.Name, err)
		}
		part.Offers = append(part.Offers, one)
	}
	return append(parts, part), nil
}

// Names are all names in a catalogue that the prefix belongs to, references to other objects included.
func (c Catalogue) Names() []string {
	names := []string{c.Environment.Name}
	add := func(name *string) {
		if name != nil {
			names = append(names, *name)
		}
	}
	for _, one := range c.Categories {
		names = append(names, one.Name)
		add(one.Parent)
	}
	for _, one := range c.Spaces {
		names = append(names, one.Name)
	}
	for _, one := range c.Offers {
		names = append(names, one.Name)
		add(one.Category)
		for _, view := range one.Views {
			names = append(names, view.Space)
		}
		for _, weight := range one.Weights {
			add(weight.Space)
		}
	}
	return names
}

// Stranger is a name in the catalogue that does not begin with its prefix; empty: there is none.
func (c Catalogue) Stranger() string {
	for _, name := range c.Names() {
		if c.Prefix == "" || !strings.HasPrefix(name, c.Prefix) {
			return name
		}
	}
	return ""
}
