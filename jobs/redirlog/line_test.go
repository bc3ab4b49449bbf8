package redirlog

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// sample is a line as the documentation shows it.
const sample = "50x000000000FD7EC86\t2026-03-04T05:06:07.08\t787bc0\t281a4d8\t281a4da\th\t" +
	"0f8fad5b-d9cb-469f-a165-70867728950e\t\tamount=12.50&article=3\tMozilla/5.0 (X11) é\t2001:db8::1"

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := Parse([]byte(sample))
	want := Line{ID: 0xFD7EC86, Date: time.Date(2026, 3, 4, 5, 6, 7, 80_000_000, time.UTC), BroadLog: 0x787bc0, Delivery: 0x281a4d8,
		URL: 0x281a4da, Flag: "h", UUID: "0f8fad5b-d9cb-469f-a165-70867728950e", Params: "amount=12.50&article=3",
		Agent: "Mozilla/5.0 (X11) é", Address: "2001:db8::1"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if again := got.Append(nil); string(again) != sample+"\n" {
		t.Errorf("written again: got %q, want %q", again, sample+"\n")
	}
}

// A line that anything is wrong with is an error, never a half-read line.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	change := func(field int, to string) string {
		parts := strings.Split(sample, "\t")
		parts[field-1] = to
		return strings.Join(parts, "\t")
	}
	for name, line := range map[string]string{
		"nothing":               "",
		"9 fields":              sample[:strings.LastIndex(sample[:strings.LastIndex(sample, "\t")], "\t")],
		"12 fields":             sample + "\t",
		"a line in the line":    change(10, "Mozilla\nX"),
		"no version":            change(1, "0x000000000FD7EC86"),
		"a short id":            change(1, "50xFD7EC86"),
		"a signed id":           change(1, "50x+00000000FD7EC8"),
		"no date":               change(2, "yesterday"),
		"the 31st of February":  change(2, "2026-02-31T05:06:07.08"),
		"month 0":               change(2, "2026-00-01T05:06:07.08"),
		"24 o'clock":            change(2, "2026-03-04T24:00:00.00"),
		"a colon in the date":   change(2, "2026-03-04T05:06:0:.08"),
		"a negative delivery":   change(4, "-1"),
		"a signed delivery":     change(4, "+1"),
		"no delivery":           change(4, ""),
		"a delivery too big":    change(4, "ffffffffffffffff"),
		"a decimal point":       change(5, "1.5"),
		"a flag of signs":       change(6, "h;"),
		"a long flag":           change(6, "hhhhhhhhh"),
		"a long uuid":           change(7, strings.Repeat("u", 49)),
		"a long source":         change(8, strings.Repeat("s", 17)),
		"params too long":       change(9, strings.Repeat("p", 256)),
		"an agent too long":     change(10, strings.Repeat("a", 256)),
		"NUL":                   change(10, "Mozilla\x00"),
		"no UTF-8":              change(10, "Mozilla\xff"),
		"an escape sequence":    change(10, "\x1b[31m"),
		"a C1 control":          change(10, "\u009b31m"),
		"an address of letters": change(11, "localhost"),
		"a line without end":    strings.Repeat("x", MaxLine+1),
	} {
		if got, err := Parse([]byte(line)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

// What a browser sends can neither break a line nor add one.
func TestAppendHostile(t *testing.T) {
	t.Parallel()
	nasty := "\t\n\r\x00\xff\x1b" + strings.Repeat("é한", 200)
	l := Line{ID: 7, Date: time.Date(2026, 3, 4, 5, 6, 7, 999_999_999, time.UTC), BroadLog: -1, UUID: nasty, Source: nasty, Params: nasty, Agent: nasty}
	b := l.Append(nil)
	if bytes.Count(b, []byte("\t")) != 10 || bytes.Count(b, []byte("\n")) != 1 || len(b) > MaxLine {
		t.Fatalf("got %q, want one line of 11 fields", b)
	}
	got, err := Parse(b)
	if err != nil || got.BroadLog != 0 || len(got.Agent) < agentSize-3 || !got.Date.Equal(l.Date.Truncate(10*time.Millisecond)) {
		t.Errorf("read again: got %+v, %v, want the texts cut between characters", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(sample + "\n"))
	f.Add([]byte("\t\t\t\t\t\t\t\t\t\t"))
	f.Add(bytes.Repeat([]byte{0xff}, 300))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(l.Append(nil))
		if err != nil || again != l {
			t.Errorf("%q: read %+v, written and read again %+v, %v", b, l, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	line := []byte(sample)
	const lines = 1_000_000
	var took time.Duration
	for b.Loop() {
		began := time.Now()
		for range lines {
			if _, err := Parse(line); err != nil {
				b.Fatal(err)
			}
		}
		took += time.Since(began)
	}
	b.ReportMetric(float64(b.N)*lines/took.Seconds()/1e6, "Mlines/s")
}
