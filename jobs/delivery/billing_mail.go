package delivery

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// billingOperator is who gets the report.
const billingOperator = "billing"

var errNoAddress = errors.New("operator 'billing' has no e-mail address")

// billingWords are the texts of the mail, by language.
type billingWords struct {
	Title, Period, Customer, Actions, Profiles, Size, Nothing, Attached string
	Columns                                                             []string
	Subtotal, Total                                                     string
}

var billingTexts = map[string]billingWords{
	"en": {
		Title: "Activity report", Period: "Period", Customer: "Customer", Actions: "Marketing actions",
		Profiles: "Active profiles (12 months)", Size: "Database size", Nothing: "Nothing was sent in this period.",
		Attached: "All lines are in the attached file.",
		Columns:  []string{"Start date", "Label", "Total volume (bytes)", "Average volume", "Messages", "Multiplier (x)", "Count"},
		Subtotal: "Subtotal", Total: "Total"},
	"ko": {
		Title: "활동 보고서", Period: "기간", Customer: "고객", Actions: "마케팅 작업",
		Profiles: "활성 프로필(12개월)", Size: "데이터베이스 크기", Nothing: "이 기간에 전송된 메시지가 없습니다.",
		Attached: "모든 항목은 첨부 파일에 있습니다.",
		Columns:  []string{"시작 날짜", "레이블", "총 볼륨(바이트)", "평균 볼륨", "메시지", "승수(x)", "개수"},
		Subtotal: "소계", Total: "합계"},
}

func wordsIn(language string) billingWords {
	if words, ok := billingTexts[language]; ok {
		return words
	}
	return billingTexts["en"]
}

var billingPage = template.Must(template.New("billing").Funcs(template.FuncMap{
	"n": commas, "size": sizeText, "type": messageTypeName,
}).Parse(`<!DOCTYPE html>
<html lang="{{.Language}}"><head><meta charset="utf-8"><title>{{.Name}}</title></head><body>
<h1>{{.Words.Title}} {{.Name}}</h1>
<table>
<tr><th align="left">{{.Words.Period}}</th><td>{{.From}} → {{.To}} ({{.Figures.Zone}})</td></tr>
<tr><th align="left">{{.Words.Customer}}</th><td>{{or .Figures.Customer "—"}}</td></tr>
<tr><th align="left">{{.Words.Actions}}</th><td>{{n .Figures.Actions}}</td></tr>
<tr><th align="left">{{.Words.Profiles}}</th><td>{{n .Figures.ActiveProfiles}}{{range .Figures.Profiles}}<br>{{.Schema}}: {{n .Count}}{{end}}</td></tr>
<tr><th align="left">{{.Words.Size}}</th><td>{{size .Figures.DatabaseBytes}}</td></tr>
</table>
{{$words := .Words}}{{range .Figures.Types}}<h2>{{type .MessageType}}</h2>
<table border="1" cellspacing="0" cellpadding="4">
<tr>{{range $words.Columns}}<th>{{.}}</th>{{end}}</tr>
{{range .Lines}}<tr><td>{{.Start}}</td><td>{{.Label}}</td><td align="right">{{n .Volume}}</td><td align="right">{{n .Average}}</td><td align="right">{{n .Messages}}</td><td align="right">{{.Multiplier}}</td><td align="right">{{n .Count}}</td></tr>
{{end}}<tr><th colspan="2" align="left">{{$words.Subtotal}}</th><td align="right">{{n .Volume}}</td><td></td><td align="right">{{n .Messages}}</td><td></td><td align="right">{{n .Count}}</td></tr>
</table>
{{else}}<p>{{.Words.Nothing}}</p>
{{end}}<p><strong>{{.Words.Total}}: {{n .Figures.Actions}}</strong></p>
</body></html>
`))

// billingHTML is the body of the mail. Labels are data and escaped.
func billingHTML(language, name string, from, to time.Time, f db.BillingFigures) (string, error) {
	var page strings.Builder
	err := billingPage.Execute(&page, map[string]any{"Language": language, "Words": wordsIn(language), "Name": name,
		"From": from.Format(time.DateOnly), "To": to.Format(time.DateOnly), "Figures": f})
	if err != nil {
		return "", fmt.Errorf("write the report: %w", err)
	}
	return page.String(), nil
}

// billingCSV is the file that the mail carries: a line of the report a line, by RFC 4180.
func billingCSV(f db.BillingFigures) (string, error) {
	var file strings.Builder
	out := csv.NewWriter(&file)
	rows := [][]string{append([]string{"Message type"}, billingTexts["en"].Columns...)}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, t := range f.Types {
		for _, l := range t.Lines {
			rows = append(rows, []string{messageTypeName(t.MessageType), l.Start, inert(l.Label), number(l.Volume), number(l.Average),
				number(l.Messages), number(l.Multiplier), number(l.Count)})
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return "", fmt.Errorf("write the file: %w", err)
	}
	return file.String(), nil
}

// inert keeps a spreadsheet from taking a label for a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (b *bill) language(ctx context.Context) (language string, err error) {
	language = "en"
	err = b.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&language) }, `
		SELECT language
		FROM xtk.operator
		WHERE login = $1`, billingOperator)
	if err != nil {
		return "", fmt.Errorf("language of %s: %w", billingOperator, err)
	}
	return language, nil
}

// unsent is a stored report whose mail is not in the outbox.
type unsent struct {
	id       int64
	name     string
	from, to time.Time
	figures  db.BillingFigures
}

// mail puts the stored reports that were not sent into the outbox. Without an address they wait, and the run fails; a
// disabled operator is sent his mail.
func (b *bill) mail(ctx context.Context) error {
	var waiting []unsent
	err := b.Query(ctx, func(rows pgx.Rows) error {
		var u unsent
		err := rows.Scan(&u.id, &u.name, &u.from, &u.to, &u.figures)
		waiting = append(waiting, u)
		return err
	}, `
		SELECT id, name, period_from, period_to, data - 'types'
		FROM nms.billing
		WHERE sent_at IS NULL
		ORDER BY id`)
	if err != nil {
		return fmt.Errorf("reports to send: %w", err)
	}
	for _, u := range waiting {
		address, err := b.send(ctx, u)
		if err != nil {
			return err
		}
		b.Log("Report %s %s to %s", u.name, would(b.Run, "sent", "would be sent"), address)
	}
	b.Say("%d reports %s", len(waiting), would(b.Run, "sent", "would be sent"))
	return nil
}

// send writes the mail of a report, with its file, and notes in the report that it was written: both or neither. The key
// is that of the report, so that it is written once whatever is repeated.
func (b *bill) send(ctx context.Context, u unsent) (address string, err error) {
	err = b.Tx(ctx, func(tx pgx.Tx) error {
		var operator int64
		var language string
		err := tx.QueryRow(ctx, `
			SELECT id, language, trim(COALESCE(email, ''))
			FROM xtk.operator
			WHERE login = $1`, billingOperator).Scan(&operator, &language, &address)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && address == "" {
			return errNoAddress
		}
		if err != nil {
			return fmt.Errorf("address of %s: %w", billingOperator, err)
		}
		subject, text := u.text(language, b.zone)
		if _, err := tx.Exec(ctx, `
			INSERT INTO nms.notification (effect_key, workflow_name, template, object_schema, operator_id, to_address, subject, body_text,
			                              body_html, attachment_name, attachment_type, attachment)
			SELECT $1, 'billing', 'billing', 'nms.billing', $3, $4, $5, $6,
			       b.html, b.name || '.csv', 'text/csv; charset=utf-8', convert_to(b.csv, 'UTF8')
			FROM nms.billing b
			WHERE b.id = $2
			ON CONFLICT (effect_key) DO NOTHING`, "billing:"+u.name, u.id, operator, address, subject, text); err != nil {
			return fmt.Errorf("mail of %s: %w", u.name, err)
		}
		if _, err := tx.Exec(ctx, `
			UPDATE nms.billing
			SET sent_at = $2, sent_to = $3
			WHERE id = $1`, u.id, b.Now(), address); err != nil {
			return fmt.Errorf("mark %s as sent: %w", u.name, err)
		}
		return nil
	})
	return address, err
}

// text is the mail for who reads no HTML.
func (u unsent) text(language string, zone *time.Location) (subject, body string) {
	words := wordsIn(language)
	subject = strings.TrimSpace(words.Title + " " + u.name + " " + u.figures.Customer)
	body = fmt.Sprintf("%s: %s → %s\n%s: %s\n%s: %s\n%s: %s\n\n%s\n",
		words.Period, u.from.In(zone).Format(time.DateOnly), u.to.In(zone).Format(time.DateOnly),
		words.Actions, commas(u.figures.Actions), words.Profiles, commas(u.figures.ActiveProfiles()),
		words.Size, sizeText(u.figures.DatabaseBytes), words.Attached)
	return subject, body
}
