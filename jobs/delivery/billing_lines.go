package delivery

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"nightshift/db"
)

// messageTypes are the types of messages as the log and the file call them.
var messageTypes = map[int]string{0: "email", 1: "sms", 2: "phone", 3: "paper", 4: "fax", 40: "push", 120: "other"}

func messageTypeName(code int) string {
	if name, ok := messageTypes[code]; ok {
		return name
	}
	return fmt.Sprintf("type %d", code)
}

// byType makes the lines: one a delivery, and one for all those below the threshold that began on the same day. What
// comes in is ordered by type and first send.
func (b *bill) byType(found []billed) []db.BillingType {
	types := []db.BillingType{}
	for i, one := range found {
		if len(types) == 0 || types[len(types)-1].MessageType != one.Type {
			types = append(types, db.BillingType{MessageType: one.Type})
		}
		last := &types[len(types)-1]
		b.addLine(last, one)
		b.Progress(int64(i+1), int64(len(found)), "deliveries")
	}
	for i := range types {
		b.price(&types[i])
	}
	return types
}

// addLine puts a delivery into the lines of its type: a small one into that of its day, which is made when there is none.
func (b *bill) addLine(t *db.BillingType, one billed) {
	t.Deliveries++
	if one.Target >= b.figures.Threshold {
		t.Lines = append(t.Lines, db.BillingLine{Start: one.Start, Label: one.Label, Volume: one.Volume, Messages: one.Messages})
		return
	}
	t.Aggregated++
	i := slices.IndexFunc(t.Lines, func(l db.BillingLine) bool { return l.Small > 0 && l.Start == one.Start })
	if i < 0 {
		i = len(t.Lines)
		t.Lines = append(t.Lines, db.BillingLine{Start: one.Start})
	}
	l := &t.Lines[i]
	l.Small, l.Volume, l.Messages = l.Small+1, l.Volume+one.Volume, l.Messages+one.Messages
}

// price works out multiplier and count of each line, and the totals of the type. A message that is larger than the unit
// counts as many times as units are begun.
func (b *bill) price(t *db.BillingType) {
	for i := range t.Lines {
		l := &t.Lines[i]
		if l.Small > 0 {
			l.Label = aggregation(l.Small)
		}
		l.Average = l.Volume / l.Messages
		whole := l.Messages * b.figures.VolumeUnit
		l.Multiplier = max(1, (l.Volume+whole-1)/whole)
		l.Count = l.Messages * l.Multiplier
		t.Messages, t.Volume, t.Count = t.Messages+l.Messages, t.Volume+l.Volume, t.Count+l.Count
	}
	slices.SortStableFunc(t.Lines, func(x, y db.BillingLine) int { return cmp.Compare(x.Start, y.Start) })
	b.figures.Actions += t.Count
}

func aggregation(n int) string {
	if n == 1 {
		return "[Aggregation of 1 small delivery]"
	}
	return fmt.Sprintf("[Aggregation of %d small deliveries]", n)
}

// report writes the figures into the log.
func (b *bill) report() {
	deliveries := 0
	for _, t := range b.figures.Types {
		deliveries += t.Deliveries
		b.Log("%s: %s deliveries (%s aggregated), %s messages, count %s", messageTypeName(t.MessageType),
			commas(int64(t.Deliveries)), commas(int64(t.Aggregated)), commas(t.Messages), commas(t.Count))
	}
	for _, p := range b.figures.Profiles {
		b.Log("Active profiles (12 months): %s (%s)", commas(p.Count), p.Schema)
	}
	b.Log("Database size %s", sizeText(b.figures.DatabaseBytes))
	b.Say("%s deliveries, %s marketing actions, %s active profiles", commas(int64(deliveries)), commas(b.figures.Actions),
		commas(b.figures.ActiveProfiles()))
}

// commas writes a count with commas between the thousands.
func commas(n int64) string { return message.NewPrinter(language.English).Sprint(n) }

// sizeText writes bytes with a binary unit: 41.2 GB, 812.5 MB.
func sizeText(bytes int64) string {
	if bytes < 1<<30 {
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
}
