package e2e_test

import (
	"encoding/csv"
	"os"
	"strconv"
	"strings"
	"testing"

	"nightshift/views/locale"
)

// Kim reads the account of due slots of a month, downloads it and finds the page's numbers in the file: each line adds up,
// and the last one is the sum of the others.
func TestStatement(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		d := filled(t)
		execute(t, d, `UPDATE xtk.workflow SET state = 'finished'`) // so that nothing comes due while we read
		account(t, d, "kim", lang, "administrators")
		var month string
		if err := d.Pool.QueryRow(t.Context(), `
			SELECT to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM') FROM xtk.workflow_event WHERE slot GROUP BY 1 ORDER BY count(*) DESC LIMIT 1`).Scan(&month); err != nil {
			t.Fatal(err)
		}
		p := visit(t, start(t, d.URL()), lang)
		p.signIn("kim")
		p.open("/statement?month=" + month)
		p.accessible()
		table := p.downloads("a[download]")
		if len(table) < 3 {
			t.Fatalf("the statement: got %v, want a head, workflows and the sum", table)
		}
		sum := make([]int, len(table[0]))
		for i, line := range table[1:] {
			numbers := numbersOf(t, line)
			row := p.Locator("table.statement tbody tr, table.statement tfoot tr").Nth(i)
			name, err := row.Locator("th").InnerText()
			if err != nil || !strings.Contains(name, line[2]) {
				t.Errorf("line %d: the page says %q, %v, the file %q", i, name, err, line[2])
			}
			if due, err := row.Locator("td.num").First().InnerText(); err != nil || plain(due) != int64(numbers[0]) {
				t.Errorf("due of %s: the page says %q, %v, the file %d", line[2], due, err, numbers[0])
			}
			answers := 0
			for _, n := range numbers[1:] {
				answers += n
			}
			if numbers[0] != answers {
				t.Errorf("%s: got %d due, the answers are %d", line[2], numbers[0], answers)
			}
			for column, n := range numbers {
				if last := i == len(table)-2; last && n != sum[column] {
					t.Errorf("sum of %s: got %d, want %d", table[0][column+3], n, sum[column])
				}
				sum[column] += n
			}
		}
		if sum[0] == 0 {
			t.Error("nothing was due in the month: the test shows nothing")
		}
		p.press(".months a[rel=prev]")
		p.finds(".months a[rel=next]")
	})
}

// numbersOf reads a line of the file from its fourth column on: due, then the answers.
func numbersOf(t *testing.T, line []string) (numbers []int) {
	t.Helper()
	for _, field := range line[3:] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("line %v: %s", line, err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// downloads presses a link to a CSV and reads the file that arrives.
func (p *person) downloads(selector string) [][]string {
	p.t.Helper()
	file, err := p.ExpectDownload(func() error { return p.Locator(selector).First().Click() })
	if err != nil {
		p.t.Fatalf("download at %s: %s", p.URL(), err)
	}
	path, err := file.Path()
	if err != nil {
		p.t.Fatal(err)
	}
	opened, err := os.Open(path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	lines, err := csv.NewReader(opened).ReadAll()
	if err != nil {
		p.t.Fatalf("%s: %s", file.SuggestedFilename(), err)
	}
	return lines
}
