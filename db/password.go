package db

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost of a password hash: argon2id over 19 MiB, twice, on one core, some 40 ms.
const (
	hashMemory   = 19 * 1024
	hashTime     = 2
	hashThreads  = 1
	hashLength   = 32
	hashesAtOnce = 4
	hashPatience = 5 * time.Second
)

// Length of a password, in characters.
const (
	PasswordMin = 12
	PasswordMax = 128
)

// ErrBusy says that too many passwords are being checked at this moment; trying again in seconds will do.
var ErrBusy = errors.New("too many passwords are being checked at once")

// hash computes the PHC form of a password. At most four are computed at a time, each takes 19 MiB.
func (d *DB) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	sum, err := d.argon2id(ctx, password, salt, cost{hashMemory, hashTime, hashThreads})
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads, encode(salt), encode(sum)), nil
}

type cost struct {
	memory, time uint32
	threads      uint8
}

func (d *DB) argon2id(ctx context.Context, password string, salt []byte, c cost) ([]byte, error) {
	patience := time.NewTimer(hashPatience)
	defer patience.Stop()
	select {
	case d.hashing <- struct{}{}:
		// A process that lets much garbage pile up would keep the 19 MiB of each of the last two dozen hashes.
		defer func() { runtime.GC(); <-d.hashing }()
	case <-patience.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return argon2.IDKey([]byte(norm.NFKC.String(password)), salt, c.time, c.memory, c.threads, hashLength), nil
}

// nobodysHash is compared with when there is no operator or no password, so that the answer takes as long.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// matches compares a password with a stored hash. weak says that it was made with a lower cost than today's.
func (d *DB) matches(ctx context.Context, password, stored string) (ok, weak bool, err error) {
	if stored == "" {
		stored = nobodysHash
	}
	var c cost
	var version int
	part := strings.Split(stored, "$")
	if len(part) != 6 || part[1] != "argon2id" {
		return false, false, errors.New("the stored password is not an argon2id hash")
	}
	if _, err := fmt.Sscanf(part[2]+" "+part[3], "v=%d m=%d,t=%d,p=%d", &version, &c.memory, &c.time, &c.threads); err != nil || version != argon2.Version {
		return false, false, errors.New("the stored password has an unknown cost")
	}
	salt, err := base64.RawStdEncoding.DecodeString(part[4])
	if err != nil {
		return false, false, errors.New("the stored password has no salt")
	}
	want, err := base64.RawStdEncoding.DecodeString(part[5])
	if err != nil {
		return false, false, errors.New("the stored password has no sum")
	}
	sum, err := d.argon2id(ctx, password, salt, c)
	if err != nil {
		return false, false, err
	}
	weak = c.memory < hashMemory || c.time < hashTime
	return subtle.ConstantTimeCompare(sum, want) == 1 && stored != nobodysHash, weak, nil
}

// wellKnown are words that make no password, however they are dressed up with digits and signs; longer ones first.
const wellKnown = ` password passwort passphrase passw letmein welcome qwertyuiop qwerty qwertz azerty asdfghjkl zxcvbnm iloveyou
	sunshine princess football baseball superman batman master dragon monkey shadow michael jennifer trustno login access
	secret changeme default guest testing test hello whatever starwars computer internet samsung google korea seoul
	administrator administration admin root operator user campaign adobe workflows workflow console nightshift database
	postgresql postgres server system security marketing company monitoring billing `

// CheckPassword says whether a password may be set, as an *Invalid for the field "password". Any characters are
// welcome; what is refused is too short or long, the operator's own names, and what is tried first by whoever guesses.
func CheckPassword(password, login, email string) error {
	invalid := func(key string, args ...any) error { return &Invalid{Field: "password", Key: key, Args: args} }
	length := utf8.RuneCountInString(password)
	if length < PasswordMin || length > PasswordMax {
		return invalid("operator.password_length", PasswordMin, PasswordMax, length)
	}
	lower := strings.ToLower(norm.NFKC.String(password))
	name, _, _ := strings.Cut(strings.ToLower(email), "@")
	for _, own := range []string{strings.ToLower(login), strings.ToLower(email), name} {
		if len(own) >= 3 && strings.Contains(lower, own) && length < utf8.RuneCountInString(own)+PasswordMin {
			return invalid("operator.password_own_name")
		}
	}
	if monotonous(lower) || wellKnownOnly(lower) {
		return invalid("operator.password_common")
	}
	return nil
}

// monotonous finds a password of few different characters, of one piece repeated, or that runs along the keyboard.
func monotonous(lower string) bool {
	different := map[rune]bool{}
	for _, r := range lower {
		different[r] = true
	}
	if len(different) < 5 {
		return true
	}
	for piece := 1; piece <= len(lower)/2; piece++ {
		if strings.HasPrefix(strings.Repeat(lower[:piece], len(lower)/piece+1), lower) {
			return true
		}
	}
	for _, row := range []string{"01234567890123456789", "09876543210987654321", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm"} {
		if strings.Contains(row, lower) {
			return true
		}
	}
	return false
}

// wellKnownOnly takes well-known words out, whether written with digits for letters or not. Fewer than five letters
// of a person's own left: the password is one that is guessed.
func wellKnownOnly(lower string) bool {
	plain := strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i").Replace(lower)
	for _, text := range []string{lower, plain} {
		found := false
		for word := range strings.FieldsSeq(wellKnown) {
			if strings.Contains(text, word) {
				text, found = strings.ReplaceAll(text, word, " "), true
			}
		}
		own := 0
		for _, r := range text {
			if r >= 'a' && r <= 'z' || r > 127 {
				own++
			}
		}
		if found && own < 5 {
			return true
		}
	}
	return false
}
