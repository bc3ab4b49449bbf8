package db

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// The URLs that every delivery has without a row of its own: the image that tells of an open, and the pages where a person
// opts out or reads the message in a browser.
const (
	OpenURL   int64 = 1
	OptOutURL int64 = 2
	MirrorURL int64 = 6
	// FirstURL is the first id of a delivery's own URLs.
	FirstURL int64 = 1000
)

// MessageLink is the address of a link or an image in one message, as the redirection knows it: h787bc0,281a4d8,281a4da.
type MessageLink struct {
	Text                    bool // of the text of the message, prefix t; else of its HTML, prefix h
	BroadLog, Delivery, URL int64
}

// String writes the link as the parameter id has it.
func (l MessageLink) String() string {
	prefix := "h"
	if l.Text {
		prefix = "t"
	}
	return prefix + strconv.FormatInt(l.BroadLog, 16) + "," + strconv.FormatInt(l.Delivery, 16) + "," + strconv.FormatInt(l.URL, 16)
}

// ParseMessageLink reads what String wrote. Whatever else it gets is no link.
func ParseMessageLink(text string) (l MessageLink, ok bool) {
	if text == "" || len(text) > 51 || text[0] != 'h' && text[0] != 't' {
		return MessageLink{}, false
	}
	l.Text = text[0] == 't'
	rest := text[1:]
	for i, to := range [...]*int64{&l.BroadLog, &l.Delivery, &l.URL} {
		part, after, more := strings.Cut(rest, ",")
		id, err := strconv.ParseInt(part, 16, 64)
		if err != nil || id < 0 || part[0] == '+' || more != (i < 2) {
			return MessageLink{}, false
		}
		*to, rest = id, after
	}
	return l, true
}

// LinkPath writes the address of a link below the redirection's own, with the values (p1, p2, …) of the places in its
// target. The pages that show or change what belongs to one person get a signature, because ids can be guessed: Campaign
// encrypts the keys of these pages.
func (d *DB) LinkPath(l MessageLink, values ...string) (string, error) {
	path := "/r/?id=" + l.String()
	if l.URL == OptOutURL || l.URL == MirrorURL {
		signature, err := d.SignLink(l)
		if err != nil {
			return "", err
		}
		path += "&s=" + signature
	}
	for i, value := range values {
		path += "&p" + strconv.Itoa(i+1) + "=" + url.QueryEscape(value)
	}
	return path, nil
}

// SignLink is what only this instance can add to a link.
func (d *DB) SignLink(l MessageLink) (string, error) {
	key, err := hkdf.Key(sha256.New, d.key, nil, "links of messages", 32)
	if err != nil {
		return "", fmt.Errorf("sign a link: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(l.String()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:15]), nil
}

// LinkSigned reports whether a signature is the one of a link.
func (d *DB) LinkSigned(l MessageLink, signature string) bool {
	want, err := d.SignLink(l)
	return err == nil && hmac.Equal([]byte(signature), []byte(want))
}
