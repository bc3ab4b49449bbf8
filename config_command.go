package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"nightshift/db"
)

// config is everything that can be set from outside; there is no configuration file.
type config struct {
	databaseURL     string
	dataDir         string
	listen          string
	publicURL       *url.URL
	trustedProxies  []netip.Prefix
	node            string
	affinities      []string
	takesUnassigned bool
	key             []byte
	metricsToken    string
	indicators      string
	logLevel        slog.Level
}

// rawLog is the folder in which this node's redirection writes its raw log.
func (c config) rawLog() string { return filepath.Join(c.dataDir, "redir", "log") }

// variable is one environment variable: README's table is held against this list by a test.
type variable struct {
	name, byDefault, meaning string
	secret                   bool
	set                      func(c *config, value string) error
}

func variables() []variable {
	return []variable{
		{name: "DATABASE_URL", byDefault: "", secret: true,
			meaning: "PostgreSQL 15 or later to work on. Empty: a private PostgreSQL in the data folder. Direct or session-pooled, never a transaction pooler.",
			set:     func(c *config, v string) error { c.databaseURL = v; return nil }},
		{name: "NIGHTSHIFT_DATA", byDefault: "",
			meaning: "Data folder of this node: the private PostgreSQL, the key file, the raw log of the redirection (redir/log). Empty: /var/lib/nightshift for root, ~/.local/share/nightshift for others.",
			set:     setDataDir},
		{name: "PG_BIN", byDefault: "",
			meaning: "Folder of initdb and postgres for the private PostgreSQL. Empty: looked for on the path and where the distributions put it.",
			set:     func(*config, string) error { return nil }},
		{name: "NIGHTSHIFT_LISTEN", byDefault: ":8080",
			meaning: "Address and port of the console.",
			set:     func(c *config, v string) error { c.listen = v; return nil }},
		{name: "NIGHTSHIFT_URL", byDefault: "http://localhost:8080",
			meaning: "The console's address as browsers see it. Other host names are refused; https makes the session cookie secure.",
			set:     setPublicURL},
		{name: "NIGHTSHIFT_TRUSTED_PROXIES", byDefault: "",
			meaning: "Networks of reverse proxies, comma separated (10.0.0.0/8): only these may tell the client's address.",
			set:     setProxies},
		{name: "NIGHTSHIFT_NODE", byDefault: "",
			meaning: "Name of this process in runs and lists. Empty: the host's name.",
			set:     setNode},
		{name: "NIGHTSHIFT_AFFINITIES", byDefault: "",
			meaning: "Affinities this node serves, comma separated.",
			set:     func(c *config, v string) error { c.affinities = list(v); return nil }},
		{name: "NIGHTSHIFT_TAKES_UNASSIGNED", byDefault: "true",
			meaning: "Whether this node also runs workflows without an affinity.",
			set:     func(c *config, v string) (err error) { c.takesUnassigned, err = strconv.ParseBool(v); return err }},
		{name: "NIGHTSHIFT_KEY", byDefault: "", secret: true,
			meaning: "Key of the instance, 32 bytes or more in base64, equal on all nodes; a process with another one is refused. Empty: the file key in the data folder, made at the first start on a new database.",
			set:     setKey},
		{name: "NIGHTSHIFT_METRICS_TOKEN", byDefault: "", secret: true,
			meaning: "Bearer token with which a collector reads /metrics. Empty: only signed-in administrators do.",
			set:     func(c *config, v string) error { c.metricsToken = v; return nil }},
		{name: "NIGHTSHIFT_INDICATORS", byDefault: "",
			meaning: "Folder of executables whose numbers stand on Monitoring, see there. Empty: none.",
			set:     setIndicators},
		{name: "NIGHTSHIFT_LOG", byDefault: "info",
			meaning: "Level of the process log on standard error, JSON lines: debug, info, warn, error.",
			set:     func(c *config, v string) error { return c.logLevel.UnmarshalText([]byte(v)) }},
	}
}

// readConfig reads the environment; all that is wrong comes back as one error.
func readConfig(environ func(string) string) (config, error) {
	var c config
	var wrong []error
	for _, v := range variables() {
		value := environ(v.name)
		if value == "" {
			value = v.byDefault
		}
		if err := v.set(&c, value); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", v.name, err))
		}
	}
	return c, errors.Join(wrong...)
}

func setDataDir(c *config, value string) (err error) {
	c.dataDir = value
	if value == "" {
		c.dataDir, err = db.DefaultDir()
	}
	return err
}

func setPublicURL(c *config, value string) error {
	u, err := url.Parse(value)
	if err != nil {
		return err
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("%q is not an address like https://nightshift.example.com", value)
	}
	c.publicURL = u
	return nil
}

func setProxies(c *config, value string) error {
	for _, network := range list(value) {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return err
		}
		c.trustedProxies = append(c.trustedProxies, prefix)
	}
	return nil
}

func setIndicators(c *config, value string) (err error) {
	if value != "" {
		c.indicators, err = filepath.Abs(value)
	}
	return err
}

func setNode(c *config, value string) (err error) {
	c.node = value
	if value == "" {
		c.node, err = os.Hostname()
	}
	return err
}

func setKey(c *config, value string) (err error) {
	if value == "" {
		return nil
	}
	if c.key, err = base64.StdEncoding.DecodeString(value); err != nil {
		return errors.New("it is not base64")
	}
	if len(c.key) < 32 {
		return fmt.Errorf("it has %d bytes, 32 at least", len(c.key))
	}
	return nil
}

func list(value string) []string {
	var entries []string
	for entry := range strings.SplitSeq(value, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries
}

// configCommand prints what can be set, what holds now and what it means; it never shows a secret.
func configCommand(_ context.Context, _ config, _ []string, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, v := range variables() {
		value := os.Getenv(v.name)
		switch {
		case value == "":
			value = v.byDefault
		case v.secret:
			value = "(set)"
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", v.name, value, v.meaning); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	return table.Flush()
}
