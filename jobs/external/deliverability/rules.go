package deliverability

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Rules is a complete set of rules, of one version. The names in JSON are those of our columns.
type Rules struct {
	Version     string        `json:"version"`
	MX          []MXRule      `json:"mx_rules"`
	Inbound     []InboundRule `json:"inbound_rules"`
	Domains     []DomainRule  `json:"domain_rules"`
	Suppression *Suppression  `json:"suppression"`
}

// MXRule says how servers whose name fits a mask want to be written to. A limit that is absent is none.
type MXRule struct {
	Order                    int32  `json:"rule_order"`
	Mask                     string `json:"mx_mask"`
	IDRange                  string `json:"id_range"` // public addresses of ours: all (empty), "n" or "n-m"
	Shared                   bool   `json:"shared"`   // the limits are those of all our addresses together
	MaxConnections           *int32 `json:"max_connections"`
	MaxMessagesPerConnection *int32 `json:"max_messages_per_connection"`
	MessagesPerHour          *int32 `json:"messages_per_hour"`
	ConnectTimeout           *int32 `json:"connect_timeout_s"`
	DataTimeout              *int32 `json:"data_timeout_s"`
	Timeout                  *int32 `json:"timeout_s"`
	TLS                      string `json:"tls"` // default, disabled or opportunistic
}

// InboundRule says what a bounce means in whose text something is found.
type InboundRule struct {
	Order   int32  `json:"rule_order"`
	Pattern string `json:"pattern"`
	Regex   bool   `json:"is_regex"`
	Type    string `json:"failure_type"` // hard, soft or ignored
	Reason  int16  `json:"failure_reason"`
}

// DomainRule says how mails of a sending domain are signed and relayed.
type DomainRule struct {
	Mask       string `json:"domain_mask"`
	SenderID   bool   `json:"sender_id"`
	DomainKeys bool   `json:"domain_keys"`
	DKIM       bool   `json:"dkim"`
	SMIME      bool   `json:"smime"`
	RelayHost  string `json:"relay_host"`
	RelayPort  int32  `json:"relay_port"` // 0: none
}

// Suppression is who must never be written to, as hashes.
type Suppression struct {
	Addresses []Suppressed `json:"addresses"`
	Domains   []Suppressed `json:"domains"`
}

// Suppressed is the hash of an address or a domain, and the date (2026-07-24) since when; empty: not known.
type Suppressed struct {
	Hash string `json:"hash"`
	Date string `json:"source_date"`
}

// Message is what a text of bounces means, as somebody has decided. The text is the normalised one: it names nobody.
type Message struct {
	MD5         string    `json:"md5"`
	Text        string    `json:"text_normalized"`
	MessageType int16     `json:"message_type"`
	Type        string    `json:"failure_type"`
	Reason      int16     `json:"failure_reason"`
	Status      string    `json:"qualif_status"` // keep or ignore
	Modified    time.Time `json:"last_modified"`
}

const maxText = 4000

func (m Message) check() error {
	digest, err := hex.DecodeString(m.MD5)
	switch {
	case err != nil || len(digest) != 16 || m.MD5 != strings.ToLower(m.MD5):
		return fmt.Errorf("%.40q is no md5", m.MD5)
	case m.Text == "" || len(m.Text) > maxText || !printable(m.Text):
		return fmt.Errorf("message %s: its text is empty, too long or not printable", m.MD5)
	case !FailureType(m.Type):
		return fmt.Errorf("message %s: %.40q is no failure type", m.MD5, m.Type)
	case !FailureReason(m.Reason):
		return fmt.Errorf("message %s: %d is no failure reason", m.MD5, m.Reason)
	case m.Status != "keep" && m.Status != "ignore":
		return fmt.Errorf("message %s: %.40q is no decision", m.MD5, m.Status)
	case m.Modified.IsZero() || m.Modified.Nanosecond()%1000 != 0 || m.MessageType < 0:
		return fmt.Errorf("message %s: no moment in whole microseconds, or no type of message", m.MD5)
	}
	return nil
}

// FailureType reports a type of failure that the service may name.
func FailureType(name string) bool { return name == "hard" || name == "soft" || name == "ignored" }

// FailureReason reports a reason of failure that there is.
func FailureReason(code int16) bool {
	return code >= 0 && code <= 17 && code != 13 || code == 20 || code == 25 || code == 127
}

// printable reports a text that a database takes and a page shows: without control characters.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}
