package catalogue_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/catalogue"
	"nightshift/views/locale"
)

func TestFortySixWorkflows(t *testing.T) {
	t.Parallel()
	all := catalogue.All()
	if len(all) != 46 {
		t.Errorf("got %d workflows, want 46", len(all))
	}
	seen := map[string]bool{}
	perPackage := map[string]int{}
	for _, w := range all {
		if seen[w.Name] {
			t.Errorf("%s stands in the catalogue twice", w.Name)
		}
		seen[w.Name] = true
		perPackage[w.Package]++
		s := jobs.CronSchedule(w.Schedule)
		if err := s.Check(); err != nil {
			t.Errorf("%s: %s", w.Name, err)
		}
		if w.Schedule != "" && s.Next(time.Now(), time.UTC).IsZero() {
			t.Errorf("%s: %q never occurs", w.Name, w.Schedule)
		}
		if len(w.Reads) == 0 || len(w.Writes) == 0 {
			t.Errorf("%s: reads %v, writes %v, want both", w.Name, w.Reads, w.Writes)
		}
	}
	if perPackage["delivery"] != 9 || perPackage["social"] != 4 || len(perPackage) != 17 {
		t.Errorf("got %v, want 17 packages, delivery with 9 and social with 4", perPackage)
	}
}

func TestEveryWorkflowHasItsWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, w := range catalogue.All() {
		if got := locale.T(locale.English, "workflow."+w.Name+".label"); got != w.Label {
			t.Errorf("%s: the console says %q, the catalogue %q", w.Name, got, w.Label)
		}
		for _, key := range []string{"workflow." + w.Name + ".label", "workflow." + w.Name + ".purpose", "package." + w.Package} {
			english, korean := locale.T(locale.English, key), locale.T(locale.Korean, key)
			if strings.HasPrefix(english, "⟦") || strings.HasPrefix(korean, "⟦") || english == korean {
				t.Errorf("%s: got %q and %q, want a text in each language", key, english, korean)
			}
		}
	}
}

// capitals are where a word of an internal name begins.
var capitals = regexp.MustCompile(`([a-z0-9])([A-Z])`)

func TestBuiltWorkflowsHaveTheirFileAndTest(t *testing.T) {
	t.Parallel()
	built := 0
	for _, w := range catalogue.All() {
		if w.Run == nil {
			continue
		}
		built++
		file := "../" + w.Package + "/" + strings.ToLower(capitals.ReplaceAllString(w.Name, "${1}_$2"))
		for _, name := range []string{file + ".go", file + "_test.go"} {
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: got %v, want the file %s", w.Name, err, name)
			}
		}
	}
	if built < 3 {
		t.Errorf("got %d workflows with a function, want the 3 of this version at least", built)
	}
}

func TestInstallKeepsWhatAPersonChanged(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := t.Context()
	if err := catalogue.Install(ctx, d); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(ctx, `
		UPDATE xtk.workflow
		SET schedule = '{"kind": "none"}', severity = 'critical', label = 'Ours', on_error = 'ignore', built = false, reads = '{}'
		WHERE internal_name = 'tracking'`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(ctx, `DELETE FROM xtk.workflow WHERE internal_name = 'offerMgt'`); err != nil {
		t.Fatal(err)
	}
	if err := catalogue.Install(ctx, d); err != nil {
		t.Fatal(err)
	}
	var count, reads, supervised int
	var kept, schedule string
	err := d.Pool.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM xtk.workflow WHERE is_builtin),
		       (SELECT count(*) FROM xtk.workflow WHERE supervisor_group_id IS NOT NULL),
		       concat_ws(' ', w.schedule ->> 'kind', w.severity, w.label, w.on_error),
		       cardinality(w.reads),
		       (SELECT schedule::text FROM xtk.workflow WHERE internal_name = 'offerMgt')
		FROM xtk.workflow w
		WHERE w.internal_name = 'tracking'`).Scan(&count, &supervised, &kept, &reads, &schedule)
	if err != nil {
		t.Fatal(err)
	}
	if count != 46 || supervised != 46 {
		t.Errorf("got %d workflows, %d supervised, want 46", count, supervised)
	}
	if want := "none critical Ours ignore"; kept != want {
		t.Errorf("got %q, want %q: a person's changes stay", kept, want)
	}
	if reads == 0 {
		t.Error("got no tables that tracking reads, want the facts of the code")
	}
	if want := `{"cron": "0 * * * *", "kind": "cron", "signal": true}`; schedule != want {
		t.Errorf("got schedule %s, want %s", schedule, want)
	}
}
