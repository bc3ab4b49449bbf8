package db_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
)

func TestRightsAreDirectAndByGroups(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	lee, err := d.AddOperator(t.Context(), kim, db.OperatorEdit{Login: "lee", Groups: []string{"workflowExecution", "no such group"}, Rights: []string{"EXPORT", "GOD"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"EXPORT", "WORKFLOW"}; !slices.Equal(lee.Rights, want) {
		t.Errorf("got the rights %v, want %v", lee.Rights, want)
	}
	if lee.Has(db.Administration) || lee.HasPassword {
		t.Errorf("a new operator administers or has a password: %+v", lee)
	}
	if _, err := d.AddOperator(t.Context(), kim, db.OperatorEdit{Login: "LEE"}); !isInvalid(err, "login") {
		t.Errorf("the same login in capitals: got %v, want it refused", err)
	}
}

func isInvalid(err error, field string) bool {
	var invalid *db.Invalid
	return errors.As(err, &invalid) && invalid.Field == field
}

func TestOperatorFieldsChecked(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	for field, edit := range map[string]db.OperatorEdit{
		"login":    {Login: "a b<script>"},
		"label":    {Login: "ok", Label: "two\r\nlines"},
		"email":    {Login: "ok", Email: "x\r\nBcc: y@z.example"},
		"language": {Login: "ok", Language: "fr"},
		"timezone": {Login: "ok", Timezone: "../../etc/passwd"},
	} {
		if _, err := d.AddOperator(t.Context(), kim, edit); !isInvalid(err, field) {
			t.Errorf("%s: got %v, want it refused", field, err)
		}
	}
}

func TestOnlyAdministratorsChangeOperators(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	lee, _ := d.AddOperator(t.Context(), kim, db.OperatorEdit{Login: "lee", Rights: []string{"WORKFLOW"}})
	as := lee.Actor(home)
	_, add := d.AddOperator(t.Context(), as, db.OperatorEdit{Login: "eve"})
	_, edit := d.EditOperator(t.Context(), as, lee.ID, db.OperatorEdit{Rights: []string{db.Administration}})
	_, link := d.ResetLink(t.Context(), as, kim.ID)
	for what, err := range map[string]error{"add": add, "edit": edit, "link": link,
		"group":    d.EditGroup(t.Context(), as, 6, []string{db.Administration}),
		"sessions": d.EndSessions(t.Context(), as, kim.ID, "")} {
		var missing *db.MissingRight
		if !errors.As(err, &missing) || missing.Right != db.Administration {
			t.Errorf("%s: got %v, want ADMINISTRATION missing", what, err)
		}
	}
}

func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	for what, edit := range map[string]db.OperatorEdit{"disabled": {Groups: []string{"administrators"}, Disabled: true}, "demoted": {}} {
		if _, err := d.EditOperator(t.Context(), kim, kim.ID, edit); !errors.Is(err, db.ErrLastAdministrator) {
			t.Errorf("%s: got %v, want ErrLastAdministrator", what, err)
		}
	}
	group, err := d.Group(t.Context(), "administrators")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.EditGroup(t.Context(), kim, group.ID, nil); !errors.Is(err, db.ErrLastAdministrator) {
		t.Errorf("the group's right taken: got %v, want ErrLastAdministrator", err)
	}
	if o, err := d.Operator(t.Context(), kim.ID); err != nil || o.Disabled || !o.Has(db.Administration) {
		t.Errorf("afterwards: got %+v, %v; want kim as before", o, err)
	}
}

// Two administrators demote each other at the same moment: one of them stays.
func TestTwoDemotionsAtOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	lee, err := d.AddOperator(t.Context(), kim, db.OperatorEdit{Login: "lee", Groups: []string{"administrators"}})
	if err != nil {
		t.Fatal(err)
	}
	link, _ := d.ResetLink(t.Context(), kim, lee.ID)
	if err := d.ResetPassword(t.Context(), db.Actor{}, link, password); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 2)
	var both sync.WaitGroup
	for _, id := range []int64{kim.ID, lee.ID} {
		both.Go(func() {
			_, err := d.EditOperator(context.WithoutCancel(t.Context()), kim, id, db.OperatorEdit{})
			refused <- err
		})
	}
	both.Wait()
	if one, other := <-refused, <-refused; errors.Is(one, db.ErrLastAdministrator) == errors.Is(other, db.ErrLastAdministrator) {
		t.Errorf("got %v and %v, want exactly one refused", one, other)
	}
}

func TestResetLinkOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	lee, _ := d.AddOperator(t.Context(), kim, db.OperatorEdit{Login: "lee"})
	older, _ := d.ResetLink(t.Context(), kim, lee.ID)
	link, err := d.ResetLink(t.Context(), kim, lee.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ResetPassword(t.Context(), db.Actor{}, older, password); !errors.Is(err, db.ErrToken) {
		t.Errorf("the older link: got %v, want ErrToken", err)
	}
	if err := d.ResetPassword(t.Context(), db.Actor{}, link, "lee"); !isInvalid(err, "password") {
		t.Errorf("a short password: got %v, want it refused", err)
	}
	if err := d.ResetPassword(t.Context(), db.Actor{}, link, password); err != nil {
		t.Errorf("the link: got %v", err)
	}
	if err := d.ResetPassword(t.Context(), db.Actor{}, link, password+"!"); !errors.Is(err, db.ErrToken) {
		t.Errorf("the link again: got %v, want ErrToken", err)
	}
	if err := signIn(t, d, "lee", password, home); err != nil {
		t.Errorf("sign in with the new password: got %v", err)
	}
}
